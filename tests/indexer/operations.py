"""Random operations, the same for a seed in any process, applied to a store and to the model."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import AssetWrite, Collection, Filter, LedgerRow, Payload, Point, Schema, point_id
from tests.indexer.model import Json, Model, unit

SCHEMA = Schema({"c": 12, "g": 5}, encoder="fake", fingerprint={"text": "abc"})

SCALARS: list[Any] = [
    *[0, 1, 2, -7, 1.0, 1.5, 2**62, True, False, "1", "", "red", "Red", "ß", "x" * 300],
    *[
        "file:///photos/7.jpg",
        "2024-05-01",
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00+02:00",
        "2024-13-01",
        "soon",
    ],
]
PLACES: list[Json] = [
    *[{"lat": 52.52, "lon": 13.405}, {"lat": 52.4, "lon": 13.06, "name": "x"}],
    *[{"lat": 55.75, "lon": 37.62}, {"lat": -17.7, "lon": 178.1}, {"lat": -13.8, "lon": -171.8}],
    *[{"lat": 90, "lon": 0}, {"lat": 89.9, "lon": -120.5}, {"lat": -90, "lon": 7}],
    *[{"lat": 0, "lon": 180}, {"lat": 1, "lon": -180}, {"lat": -0.0, "lon": 0.0}],
    *[{"lat": 91, "lon": 0}, {"lat": 0, "lon": -180.5}, {"lat": "1", "lon": 2}, {"lat": 1}],
    *[{"lat": True, "lon": 1}, {"lat": 2**53, "lon": 1}, {"lat": None, "lon": 2}],
]
AREAS: list[dict[str, Any]] = [
    *({"geo_radius": {"center": {"lat": lat, "lon": lon}, "radius": radius}}
      for lat, lon, radius in [(52.5, 13.4, 20e3), (52.5, 13.4, 2e3), (52.5, 13.4, 2e6),
                               (-16, 180, 1.5e6), (-16, -179.9, 1.5e6), (89, 60, 3e5),
                               (-89.5, 60, 1e5), (0, 0, 0), (0, 0, 2.5e7), (10, 10, 2e7)]),
    *({"geo_bounding_box": {"top_left": {"lat": north, "lon": west},
                            "bottom_right": {"lat": south, "lon": east}}}
      for north, west, south, east in [(53, 13, 52, 14), (60, -10, 40, 40), (0, 170, -20, -160),
                                       (0, -160, -20, 170), (90, -180, -90, 180), (90, -180, 80, 0),
                                       (5, 5, 5, 5), (2, 179, -1, -179)]),
]  # fmt: skip
KEYS = [
    "color",
    "n",
    "when",
    "tags",
    "exif.model",
    "exif",
    "exif.place",
    "where",
    "people[].name",
    "people",
    '"a.b"',
    "asset",
    "no",
]

Operation = Callable[[Collection | Model], Any]


class Generator:
    """An endless sequence of operations that make sense for what the model holds.

    `bound` is the largest number that a range is bounded by.
    """

    def __init__(self, seed: int, batch: int = 6, bound: int = 2**62) -> None:
        self.random = random.Random(seed)
        self.batch = batch
        self.bound = bound

    def operation(self, model: Model) -> tuple[str, Operation]:
        edits = [self.delete, self.set_payload, self.delete_payload]
        kinds = [self.upsert, self.replace, self.stage, *edits]
        kind = self.random.choices(kinds, [4, 3, 2, 1, 2, 1])[0]
        return kind.__name__, kind(model)

    def upsert(self, _: Model) -> Operation:
        points = [self.point(self.asset()) for _ in range(self.random.randint(1, self.batch))]
        unique = list({point.id: point for point in points}.values())
        return lambda target: target.upsert(unique)

    def replace(self, model: Model) -> Operation:
        assets = {self.asset() for _ in range(self.random.randint(1, 3))}
        writes = [self.published(self.write(asset), model) for asset in sorted(assets)]
        return lambda target: target.replace(writes)

    def stage(self, _: Model) -> Operation:
        points = [self.point(self.asset()) for _ in range(self.random.randint(1, self.batch))]
        unique = list({point.id: point for point in points}.values())
        return lambda target: target.stage(unique)

    def published(self, write: AssetWrite, model: Model) -> AssetWrite:
        """The same, with the vectors that were staged for some of the asset's points."""
        staged = [k for k, v in model.waiting.items() if v.asset == write.asset]
        points = {point.id: point for point in write.points}
        for point in self.random.sample(staged, self.random.randint(0, len(staged))):
            points[point] = Point(point, write.asset, {}, self.payload())
        return replace(write, points=list(points.values()))

    def delete(self, model: Model) -> Operation:
        selector = self.ids(model, 3) if self.random.random() < 0.8 else self.narrow()
        return lambda target: target.delete(selector)

    def set_payload(self, model: Model) -> Operation:
        selector = self.ids(model, 4) if self.random.random() < 0.5 else self.filter()
        payload = self.payload()
        return lambda target: target.set_payload(selector, payload)

    def delete_payload(self, model: Model) -> Operation:
        selector = self.ids(model, 4) if self.random.random() < 0.5 else self.filter()
        keys = self.random.sample(["color", "n", "when", "tags", "exif", "asset", "text"], 2)
        return lambda target: target.delete_payload(selector, keys)

    def asset(self) -> str:
        return f"file:///photos/{self.random.randrange(40)}.jpg"

    def write(self, asset: str) -> AssetWrite:
        points = {p.id: p for p in (self.point(asset) for _ in range(self.random.randrange(5)))}
        size = self.random.randrange(2**40)
        row = LedgerRow(
            asset,
            self.random.choice(["done", "skipped", "failed"]),
            reason=self.random.choice(["", "broken ☹"]),
            size=size,
            mtime_ns=1_700_000_000_123_456_789 + size,
            content_hash=f"{size % 7:x}",
            points=len(points),
            attempts=self.random.randint(1, 3),
            fingerprint="f",
            updated=self.random.random() + 1,
        )
        return AssetWrite(asset, list(points.values()), row)

    def point(self, asset: str) -> Point:
        vectors = {name: self.vector(dim) for name, dim in SCHEMA.vectors.items()}
        if self.random.random() < 0.3:
            del vectors[self.random.choice(list(vectors))]
        identity = point_id(asset, "segment", self.random.randrange(6) * 1000)
        return Point(identity, asset, vectors, self.payload())

    def vector(self, dim: int) -> NDArray[np.float32]:
        # Few different values, so that equal scores are common.
        parts = [self.random.choice([-1.0, 0.0, 0.5, 3.0]) for _ in range(dim)]
        parts[self.random.randrange(dim)] = 2.0
        return unit(np.array(parts))

    def payload(self) -> Payload:
        fields: dict[str, Callable[[], Any]] = {
            "color": self.scalar,
            "n": self.scalar,
            "when": self.scalar,
            "tags": lambda: [self.any_value() for _ in range(self.random.randrange(4))],
            "exif": lambda: {
                "model": self.any_value(),
                "iso": self.scalar(),
                "place": self.place(),
            },
            "where": self.place,
            "people": lambda: [{"name": self.any_value()}, self.scalar()],
            "a.b": self.scalar,
            "asset": self.scalar,
            "text": self.scalar,
            "caption": lambda: [self.scalar(), self.any_value()],
        }
        chosen = self.random.sample(list(fields), self.random.randrange(len(fields)))
        return {name: fields[name]() for name in chosen}

    def any_value(self) -> Json:
        return self.random.choice([self.scalar(), None, [], [self.scalar()], {}])

    def place(self) -> Json:
        """Something that may be a place, or an array that may hold some."""
        some = self.random.sample(PLACES, 2)
        return self.random.choice([*some, [*some, self.scalar()], self.any_value()])

    def scalar(self) -> Json:
        return self.random.choice(SCALARS)

    def ids(self, model: Model, most: int) -> list[UUID]:
        known = sorted(model.points)
        chosen = [self.random.choice(known) for _ in range(self.random.randint(1, most)) if known]
        return [*chosen, point_id("file:///none.jpg", "image")]

    def narrow(self) -> Filter:
        """A filter that matches few points, so that deletions do not empty the collection."""
        both = [self.condition(0), {"key": "n", "match": {"value": self.random.choice([0, "1"])}}]
        return Filter.parse({"must": both})

    def filter(self, depth: int = 2) -> Filter:
        return Filter.parse(self.tree(depth))

    def tree(self, depth: int) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for name in self.random.sample(["must", "should", "must_not"], self.random.randint(0, 2)):
            parts[name] = [self.condition(depth) for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.15:
            conditions = [self.condition(depth) for _ in range(3)]
            count = self.random.randrange(4)
            parts["min_should"] = {"conditions": conditions, "min_count": count}
        return parts

    def condition(self, depth: int) -> dict[str, Any]:
        if depth and self.random.random() < 0.25:
            return {"must": [], **self.tree(depth - 1)}
        key = self.random.choice(KEYS)
        exact = [value for value in SCALARS if not isinstance(value, float)]
        some = self.random.sample(exact, self.random.randrange(4))
        low = self.random.choice([-7, 0, 1, 1.5, self.bound])
        times = ["2024-05-01", "2024-05-01T11:00:00Z", "2024-05-01T12:00:00Z"]
        options: list[dict[str, Any]] = [
            {"key": key, "match": {"value": self.random.choice(exact)}},
            {"key": key, "match": {"any": some}},
            {"key": key, "match": {"except": some}},
            {"key": key, "range": {self.random.choice(["gt", "gte", "lt", "lte"]): low}},
            {"key": key, "range": {"gte": low, "lt": low + 2}},
            {"key": key, "range": {self.random.choice(["gt", "lte"]): self.random.choice(times)}},
            {"key": self.random.choice([key, "where"]), **self.random.choice(AREAS)},
            {"is_empty": {"key": key}},
            {"has_id": [str(point_id(self.asset(), "segment", 0)) for _ in range(20)]},
        ]
        return self.random.choice(options)
