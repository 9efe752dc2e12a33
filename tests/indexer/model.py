"""The plain specification: a collection as a dict, every question answered by looking at all of it.

It shares no code with the stores; what both must agree on is written twice.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import (
    AssetWrite,
    Collection,
    DatetimeRange,
    Filter,
    GeoBoundingBoxCondition,
    GeoRadiusCondition,
    HasId,
    IsEmpty,
    LedgerRow,
    MatchAny,
    MatchExcept,
    MatchValue,
    Payload,
    Point,
    RangeCondition,
    Selector,
)

Json: TypeAlias = Any
"""What has no type before it is looked at."""


@dataclass(frozen=True)
class Stored:
    asset: str
    vectors: Mapping[str, NDArray[np.float32]]
    payload: Payload


@dataclass
class Model:
    points: dict[UUID, Stored] = field(default_factory=dict)
    ledger: dict[str, LedgerRow] = field(default_factory=dict)
    waiting: dict[UUID, Stored] = field(default_factory=dict)

    def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            vectors = {name: unit(vector) for name, vector in point.vectors.items()}
            self.points[point.id] = Stored(point.asset, vectors, copied(point.payload))

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        names = {write.asset for write in assets}
        self.points = {k: v for k, v in self.points.items() if v.asset not in names}
        for write in assets:
            for point in write.points:
                vectors = point.vectors or self.waiting[point.id].vectors
                self.upsert([replace(point, vectors=vectors)])
            self.ledger[write.asset] = write.row
        self.waiting = {k: v for k, v in self.waiting.items() if v.asset not in names}

    def stage(self, points: Sequence[Point]) -> None:
        for point in points:
            vectors = {name: unit(vector) for name, vector in point.vectors.items()}
            self.waiting[point.id] = Stored(point.asset, vectors, copied(point.payload))

    def delete(self, selector: Selector) -> int:
        chosen = self.select(selector)
        for point in chosen:
            del self.points[point]
        return len(chosen)

    def set_payload(self, selector: Selector, payload: Payload) -> int:
        return self._edit(selector, lambda old: old | copied(payload))

    def delete_payload(self, selector: Selector, keys: Sequence[str]) -> int:
        return self._edit(selector, lambda old: {k: v for k, v in old.items() if k not in keys})

    def select(self, selector: Selector) -> list[UUID]:
        if isinstance(selector, Filter):
            return [
                point
                for point, stored in self.points.items()
                if matches(selector, point, stored.payload | {"asset": stored.asset})
            ]
        return [point for point in dict.fromkeys(selector) if point in self.points]

    def scores(self, query: NDArray[np.float32], name: str, tree: Filter) -> dict[UUID, float]:
        asked = unit(query).astype(np.float64)
        return {
            point: float(self.points[point].vectors[name].astype(np.float64) @ asked)
            for point in self.select(tree)
            if name in self.points[point].vectors
        }

    def having(self, words: set[str]) -> set[UUID]:
        """The points whose `text` and `caption` hold all of some words of lower case and ASCII."""
        return {point for point, stored in self.points.items() if words <= texts(stored.payload)}

    def _edit(self, selector: Selector, change: Callable[[Payload], Payload]) -> int:
        chosen = self.select(selector)
        for point in chosen:
            old = self.points[point]
            self.points[point] = replace(old, payload=change(old.payload))
        return len(chosen)


def unit(vector: NDArray[Any]) -> NDArray[np.float32]:
    """The vector scaled to unit norm; one that is of unit norm already stays as it is."""
    exact = vector.astype(np.float64)
    norm = np.linalg.norm(exact)
    scaled = exact if abs(norm - 1) < 2e-7 else exact / norm
    return scaled.astype(np.float32)


def copied(payload: Payload) -> Payload:
    result: Payload = json.loads(json.dumps(payload))
    return result


def matches(tree: Filter, point: UUID, payload: Payload) -> bool:
    def holds(condition: Json) -> bool:
        return condition_holds(condition, point, payload)

    enough = tree.min_should
    return (
        all(map(holds, tree.must))
        and not any(map(holds, tree.must_not))
        and (not tree.should or any(map(holds, tree.should)))
        and (enough is None or sum(map(holds, enough.conditions)) >= enough.min_count)
    )


def condition_holds(condition: Json, point: UUID, payload: Payload) -> bool:
    if isinstance(condition, Filter):
        return matches(condition, point, payload)
    if isinstance(condition, HasId):
        return point in condition.has_id
    if isinstance(condition, IsEmpty):
        return not values(payload, condition.is_empty.key)
    found = values(payload, condition.key)
    if isinstance(condition, GeoRadiusCondition | GeoBoundingBoxCondition):
        return any(in_area(condition, value) for value in found)
    if isinstance(condition, RangeCondition):
        return any(in_range(condition.range, value) for value in found)
    return any(value_matches(condition.match, value) for value in found)


def values(payload: Json, key: str) -> list[Any]:
    """What stands at a dotted key, the elements of arrays one by one; [] if it is empty."""
    found = [payload]
    for step in re.findall(r'"(?:[^"\\]|\\.)*"|[^."\[\]]+|\[\]', key):
        if step == "[]":
            found = [element for value in found if isinstance(value, list) for element in value]
        else:
            name = json.loads(step) if step.startswith('"') else step
            found = [v[name] for v in found if isinstance(v, dict) and name in v]
    flat: list[Any] = []
    for value in found:
        flat += value if isinstance(value, list) else [] if value is None else [value]
    return flat


def texts(payload: Payload) -> set[str]:
    """The words of the texts."""
    found = [value for key in ("text", "caption") for value in values(payload, key)]
    return {w for t in found if isinstance(t, str) for w in re.findall("[^\\W_]+", t.lower())}


def same(a: Json, b: Json) -> bool:
    return type(a) is type(b) and a == b


def value_matches(match: Json, value: Json) -> bool:
    if isinstance(match, MatchValue):
        return same(match.value, value)
    if isinstance(match, MatchAny):
        return any(same(wanted, value) for wanted in match.any)
    assert isinstance(match, MatchExcept)
    return value is not None and not any(same(other, value) for other in match.except_)


def in_range(bounds: Json, value: Json) -> bool:
    if isinstance(bounds, DatetimeRange):
        value = instant(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value is not None and (
        (bounds.gt is None or value > bounds.gt)
        and (bounds.gte is None or value >= bounds.gte)
        and (bounds.lt is None or value < bounds.lt)
        and (bounds.lte is None or value <= bounds.lte)
    )


def in_area(condition: Json, value: Json) -> bool:
    """By the chord between directions, so by another way than the store goes."""
    if not is_place(value):
        return False
    if isinstance(condition, GeoRadiusCondition):
        center = condition.geo_radius.center
        a, b = direction(value["lat"], value["lon"]), direction(center.lat, center.lon)
        angle = 2 * math.asin(min(1.0, math.dist(a, b) / 2))
        return 6_371_008.8 * angle < condition.geo_radius.radius
    box = condition.geo_bounding_box
    west, east, lon = box.top_left.lon, box.bottom_right.lon, value["lon"]
    outside = east <= lon <= west if east < west else not west < lon < east
    return not outside and box.bottom_right.lat < value["lat"] < box.top_left.lat


def is_place(value: Json) -> bool:
    return isinstance(value, dict) and all(
        type(value.get(name)) in {int, float} and -limit <= value[name] <= limit
        for name, limit in (("lat", 90), ("lon", 180))
    )


def direction(lat: float, lon: float) -> tuple[float, float, float]:
    """The unit vector to a place."""
    phi, theta = math.radians(lat), math.radians(lon)
    flat = math.cos(phi)
    return flat * math.cos(theta), flat * math.sin(theta), math.sin(phi)


def instant(value: Json) -> datetime | None:
    """The times that these tests use: dates, and RFC 3339 with an offset."""
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def assert_same(collection: Collection, model: Model) -> None:
    """Everything stored is what the model holds: ids, assets, payloads, vectors, ledger.

    Vectors are compared bit for bit, so they must have been of unit norm when they were written.
    """
    names = list(collection.schema.vectors)
    seen = []
    after = None
    while True:
        page = collection.scroll(limit=997, after=after, with_vectors=names)
        seen += page.records
        after = page.next
        if after is None:
            break
    assert [record.id for record in seen] == sorted(model.points)
    for record in seen:
        stored = model.points[record.id]
        assert (record.asset, record.payload) == (stored.asset, stored.payload)
        assert record.vectors.keys() == stored.vectors.keys()
        for name, vector in record.vectors.items():
            np.testing.assert_array_equal(vector, stored.vectors[name])
    assert collection.count() == len(model.points)
    for words in ("red", "soon", "05 2024"):
        hits = collection.find_text(words, limit=10_000)
        assert {hit.id for hit in hits} == model.having(set(words.split()))
    assert {row.asset: row for row in collection.ledger.rows()} == model.ledger
    for asset in {stored.asset for stored in model.waiting.values()} | model.ledger.keys():
        assert [(record.id, record.payload) for record in collection.staged(asset)] == [
            (point, stored.payload)
            for point, stored in sorted(model.waiting.items())
            if stored.asset == asset
        ]
