"""Circles and boxes on Earth as queries for which Qdrant's geo index misses nothing.

Qdrant's index leaves out places where it should not (found by comparison, qdrant-edge-py 0.9.0): at
the poles and at the date line, and here and there in circles of more than a thousand kilometres. A
path that ends in `[]` names the same places and is never answered from the index, but by looking
at each point that the other conditions leave.
"""

import math

from qdrant_client import models

from indexer.filters import GeoBoundingBox, GeoRadius
from indexer.geo import EARTH_RADIUS

_MOST_METRES = 500_000.0
_MOST_LAT, _MOST_LON = 89.0, 179.0


def in_area(where: str, area: GeoRadius | GeoBoundingBox) -> models.FieldCondition:
    """Matches the points that have a place in the area among those at the path `where`."""
    path = where if _is_plain(area) else f"{where}[]"
    if isinstance(area, GeoRadius):
        circle = models.GeoRadius(**area.model_dump())
        return models.FieldCondition(key=path, geo_radius=circle)
    box = models.GeoBoundingBox(**area.model_dump())
    return models.FieldCondition(key=path, geo_bounding_box=box)


def _is_plain(area: GeoRadius | GeoBoundingBox) -> bool:
    """Whether it is of moderate size, and away from the poles and the date line."""
    if isinstance(area, GeoRadius):
        return area.radius <= _MOST_METRES and _is_inland(area)
    west, north = area.top_left.lon, area.top_left.lat
    east, south = area.bottom_right.lon, area.bottom_right.lat
    return -_MOST_LON < west < east < _MOST_LON and -_MOST_LAT < south < north < _MOST_LAT


def _is_inland(circle: GeoRadius) -> bool:
    angle, lat = circle.radius / EARTH_RADIUS, math.radians(circle.center.lat)
    if abs(circle.center.lat) + math.degrees(angle) >= _MOST_LAT:
        return False
    # The meridians that touch the circle.
    reach = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(lat))))
    return abs(circle.center.lon) + reach < _MOST_LON
