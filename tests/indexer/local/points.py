"""Points for the tests of the local store: the number of a point decides its vector."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexer import AssetWrite, Collection, LedgerRow, Point, Schema, point_id
from tests.indexer.model import Json, unit

DIM = 8
SCHEMA = Schema({"default": DIM})


def vector(number: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(number).normal(size=DIM))


def point(number: int, asset: str = "", **payload: Json) -> Point:
    asset = asset or f"file:///{number}.jpg"
    return Point(point_id(asset, "image", number), asset, {"default": vector(number)}, payload)


def points(numbers: Iterable[int], **payload: Json) -> list[Point]:
    return [point(number, **payload) for number in numbers]


def asset_write(asset: str, numbers: Iterable[int], **payload: Json) -> AssetWrite:
    made = [point(number, asset, **payload) for number in numbers]
    return AssetWrite(asset, made, LedgerRow(asset, "done", points=len(made), updated=1.0))


def assert_holds(collection: Collection, expected: Iterable[Point]) -> None:
    """The collection holds these points and no others, bit for bit."""
    wanted = {point.id: point for point in expected}
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    assert [record.id for record in records] == sorted(wanted)
    for record in records:
        one = wanted[record.id]
        assert (record.asset, record.payload) == (one.asset, one.payload)
        np.testing.assert_array_equal(record.vectors["default"], one.vectors["default"])
    assert collection.count() == len(wanted)
