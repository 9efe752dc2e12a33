"""The plain specification: a collection as a dict, every question answered by looking at all of it.

It shares no code with the stores; what both must agree on is written twice.
"""

import json
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

    def upsert(self, points: Sequence[Point]) -> None:
        for point in points:
            vectors = {name: unit(vector) for name, vector in point.vectors.items()}
            self.points[point.id] = Stored(point.asset, vectors, copied(point.payload))

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        names = {write.asset for write in assets}
        self.points = {k: v for k, v in self.points.items() if v.asset not in names}
        for write in assets:
            self.upsert(write.points)
            self.ledger[write.asset] = write.row

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
    assert {row.asset: row for row in collection.ledger.rows()} == model.ledger
