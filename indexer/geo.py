"""Places on Earth: as a payload says them, as an index sorts them, and how far apart they are."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS = 6_371_008.8
"""Metres: the mean radius of the IUGG, as in Qdrant."""

_SIGN = np.uint64(1 << 63)


def place_of(value: Mapping[str, object]) -> tuple[float, float] | None:
    """The latitude and longitude of an object that is a place, in degrees."""
    lat, lon = _number(value.get("lat"), 90), _number(value.get("lon"), 180)
    return None if lat is None or lon is None else (lat, lon)


def packed(lat: float, lon: float) -> str:
    """A place as 32 hexadecimal digits, which sort from south to north."""
    return sortable(lat) + sortable(lon)


def sortable(number: float) -> str:
    """A double as 16 hexadecimal digits, which sort as the numbers do."""
    # Adding zero makes -0.0 zero.
    bits = np.float64(number + 0.0).view(np.uint64)
    return f"{int(~bits if bits & _SIGN else bits | _SIGN):016x}"


def unpacked(text: str) -> tuple[Floats, Floats]:
    """Latitudes and longitudes, float64 `[n]` each, of `n` packed places in a row."""
    bits = np.frombuffer(bytes.fromhex(text), ">u8").astype(np.uint64)
    numbers = np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)
    return numbers[0::2], numbers[1::2]


def distances(lats: Floats, lons: Floats, lat: float, lon: float) -> Floats:
    """Metres along the great circle to one place, float64 `[n]`, by the haversine formula."""
    phis, phi = np.radians(lats), math.radians(lat)
    half = np.sin((phi - phis) / 2) ** 2
    half += np.cos(phis) * math.cos(phi) * np.sin(np.radians(lon - lons) / 2) ** 2
    metres: Floats = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return metres


def _number(value: object, limit: int) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > limit:
        return None
    return float(value)
