"""What a camera wrote about a film: when, with what, where; the counterpart of `exif`."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Tags = Mapping[str, str]
TAKEN = ("com.apple.quicktime.creationdate", "creation_time", "date")
MAKES = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
MODELS = ("com.apple.quicktime.model", "com.android.model", "model")
PLACES = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
EARLIEST = 1971  # cameras whose clock was never set count from 1904 or 1970
ISO_6709 = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)(?:[+-]\d+(?:\.\d+)?)?(?:CRS\w+)?/?")


def film_payload(tags: Tags, codec: str) -> dict[str, Any]:
    """`codec`, `taken` (RFC 3339), `camera` and `location` ({lat, lon} in degrees), if there.

    `tags` are those of the container and the stream, as FFmpeg names them.
    """
    tags = {name.lower(): value.strip() for name, value in tags.items()}
    found = {
        "codec": codec or None,
        "taken": _taken(_first(tags, TAKEN)),
        "camera": _camera(_first(tags, MAKES), _first(tags, MODELS)),
        "location": _location(_first(tags, PLACES)),
    }
    return {key: value for key, value in found.items() if value is not None}


def _first(tags: Tags, names: tuple[str, ...]) -> str:
    return next((tags[name.lower()] for name in names if tags.get(name.lower())), "")


def _taken(text: str) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year < EARLIEST or len(text) < len("2020-01-01T00:00"):
        return None
    whole = moment.replace(microsecond=0)
    return whole.isoformat().replace("+00:00", "Z") + ("" if whole.tzinfo else "Z")


def _camera(make: str, model: str) -> str | None:
    if model.lower().startswith(make.lower()):
        return model or None
    return f"{make} {model}".strip()


def _location(text: str) -> dict[str, float] | None:
    """Of degrees with decimals, which is what phones write."""
    found = ISO_6709.fullmatch(text)
    if not found:
        return None
    lat, lon = float(found[1]), float(found[2])
    if not (math.isfinite(lat + lon) and abs(lat) <= 90 and abs(lon) <= 180):
        return None
    return {"lat": round(lat, 7), "lon": round(lon, 7)}
