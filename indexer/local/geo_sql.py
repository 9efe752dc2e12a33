"""Places in circles and boxes: found by latitude in the index, then checked exactly."""

import math
import sqlite3

from indexer.errors import CollectionDamaged
from indexer.filters import GeoBoundingBox, GeoCondition, GeoRadius
from indexer.geo import EARTH_RADIUS, Floats, distances, sortable, unpacked
from indexer.local.view import Bools, Ints, numbers_in

Area = GeoRadius | GeoBoundingBox

_MARGIN = 1e-6
"""Degrees, so that no rounding of the belt's edge can leave out what the exact look would take."""


def in_area(connection: sqlite3.Connection, leaf: GeoCondition) -> Ints:
    """The rows that have a place in the area, each as often as it has."""
    south, north = _belt(leaf.area)
    # Two long texts are faster to fetch than a row for each place.
    rows, places = connection.execute(
        "SELECT group_concat(point), group_concat(value, '') FROM kv "
        "WHERE key = ? AND type = 'g' AND value >= ? AND value < ?",
        (leaf.key, sortable(south - _MARGIN), sortable(north + _MARGIN)),
    ).fetchone()
    found = numbers_in(rows)
    try:
        return found[_inside(leaf.area, *unpacked(places or ""))]
    except (ValueError, IndexError):
        raise CollectionDamaged(f"the index of places of field {leaf.key!r} is damaged") from None


def _belt(area: Area) -> tuple[float, float]:
    """The least and the greatest latitude of an area."""
    if isinstance(area, GeoBoundingBox):
        return area.bottom_right.lat, area.top_left.lat
    width = math.degrees(area.radius / EARTH_RADIUS)
    return area.center.lat - width, area.center.lat + width


def _inside(area: Area, lats: Floats, lons: Floats) -> Bools:
    if isinstance(area, GeoRadius):
        return distances(lats, lons, area.center.lat, area.center.lon) < area.radius
    west, east = area.top_left.lon, area.bottom_right.lon
    after, before = west < lons, lons < east
    between = after | before if west > east else after & before
    return between & (area.bottom_right.lat < lats) & (lats < area.top_left.lat)
