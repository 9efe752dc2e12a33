"""What a camera wrote about a photo: when, with what, where."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

Tags = Mapping[int, Any]
CLOCK = "%Y:%m:%d %H:%M:%S"
OFFSET = re.compile(r"[+-]\d\d:\d\d|Z")


def photo_payload(exif: Image.Exif) -> dict[str, Any]:
    """`taken` (RFC 3339), `camera` and `location` ({lat, lon} in degrees), if present.

    Without an offset the time is taken as UTC, which keeps the order of a camera's photos.
    """
    found = {
        "taken": _taken(exif, exif.get_ifd(IFD.Exif)),
        "camera": _camera(exif),
        "location": _location(exif.get_ifd(IFD.GPSInfo)),
    }
    return {key: value for key, value in found.items() if value is not None}


def _taken(main: Tags, photo: Tags) -> str | None:
    original = _text(photo.get(Base.DateTimeOriginal))
    clock = original or _text(main.get(Base.DateTime))
    offset = _text(photo.get(Base.OffsetTimeOriginal if original else Base.OffsetTime))
    try:
        moment = datetime.strptime(clock, CLOCK)
    except ValueError:
        return None
    return moment.isoformat() + (offset if OFFSET.fullmatch(offset) else "Z")


def _camera(main: Tags) -> str | None:
    make, model = _text(main.get(Base.Make)), _text(main.get(Base.Model))
    if model.lower().startswith(make.lower()):
        return model or None
    return f"{make} {model}".strip()


def _location(gps: Tags) -> dict[str, float] | None:
    lat = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef) == "S", limit=90)
    lon = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef) == "W", limit=180)
    return None if lat is None or lon is None else {"lat": lat, "lon": lon}


def _degrees(parts: object, negative: bool, limit: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value) or not 0 <= value <= limit:
        return None
    return round(-value if negative else value, 7)


def _text(value: object) -> str:
    return value.replace("\0", "").strip() if isinstance(value, str) else ""
