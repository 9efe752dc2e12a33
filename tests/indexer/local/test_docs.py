"""What docs/index.md says of the format is so: its reader reads all that is stored."""

import hashlib
import re
import runpy
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer import LocalCollection, LocalStore, Point, point_id
from tests.indexer.model import Model, unit
from tests.indexer.operations import SCHEMA, Generator

DOCS = (Path(__file__).parents[3] / "docs" / "index.md").read_text("utf-8")
Reader = Callable[[Path], Iterator[Any]]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """The documented one."""
    [code] = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    (tmp_path / "reader.py").write_text(code)
    found: Reader = runpy.run_path(str(tmp_path / "reader.py"))["live_points"]
    return found


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[LocalCollection]:
    """Whose raw files hold a few vectors each."""
    store = LocalStore(tmp_path, file_bytes=8192)
    yield store.create("photos", SCHEMA)
    store.close()


def folder_of(tmp_path: Path) -> Path:
    return tmp_path / "collections" / "photos"


@pytest.mark.parametrize("seed", range(3))
def test_the_documented_reader_reads_every_point(
    collection: LocalCollection, reader: Reader, tmp_path: Path, seed: int
) -> None:
    generator, model = Generator(seed, batch=20), Model()
    for step in range(45):
        _, operation = generator.operation(model)
        operation(collection)
        operation(model)
        if step == 15:
            collection.add_vector("new", 7)
        if step > 15:
            give_new(collection, model, generator)
        if step in (20, 40):
            collection.compact()
        if step % 9 == 8:
            check(list(reader(folder_of(tmp_path))), model)


def give_new(collection: LocalCollection, model: Model, generator: Generator) -> None:
    """A few points get, or change, their vector of the added name."""
    vector = unit(np.random.default_rng(generator.random.randrange(99)).normal(size=7))
    for point in generator.random.sample(sorted(model.points), min(4, len(model.points))):
        collection.set_vectors({point: {"new": vector}})
        stored = model.points[point]
        model.points[point] = replace(stored, vectors={**stored.vectors, "new": vector})


def check(found: list[Any], model: Model) -> None:
    assert sorted(point for point, *_ in found) == sorted(model.points)
    for point, asset, payload, vectors in found:
        stored = model.points[point]
        assert (asset, payload) == (stored.asset, stored.payload)
        assert vectors.keys() == stored.vectors.keys()
        for name, vector in vectors.items():
            np.testing.assert_array_equal(vector, stored.vectors[name])


def test_headers_are_as_documented(collection: LocalCollection, tmp_path: Path) -> None:
    for number in range(300):
        collection.upsert([a_point({}, number)])
    paths = sorted((folder_of(tmp_path) / "vectors").iterdir())
    assert [path.name for path in paths[:2]] == ["c-000000.f32", "c-000001.f32"]
    for path in paths:
        name, place = path.stem.split("-")
        head = path.read_bytes()[:4096]
        *found, checksum = struct.unpack("<8sII16sII64sI", head[:108])
        named = name.encode().ljust(64, b"\0")
        dim = SCHEMA.vectors[name]
        assert found == [b"POLYLENS", 1, dim, collection.uid.bytes, int(place), 0, named]
        assert checksum == zlib.crc32(head[:104])
        assert not any(head[108:])


def sortable(*numbers: float) -> str:
    """As the places of the table are written."""
    bits = (int.from_bytes(struct.pack(">d", number)) for number in numbers)
    return "".join(f"{b ^ (2**64 - 1) if b >> 63 else b | 1 << 63:016x}" for b in bits)


LONG = "ß" * 65
KEYS: list[tuple[dict[str, Any], set[tuple[str, str, Any]]]] = [
    ({"a": "x"}, {("a", "s", "x")}),
    ({"a": LONG}, {("a", "h", hashlib.sha256(LONG.encode()).digest()[:16])}),
    ({"a": 1}, {("a", "i", 1)}),
    ({"a": 2**63}, {("a", "f", 2.0**63)}),
    ({"a": 1.0}, {("a", "f", 1.0)}),
    ({"a": True}, {("a", "b", 1)}),
    ({"a": "1970-01-02"}, {("a", "s", "1970-01-02"), ("a", "t", 86_400_000_000)}),
    (
        {"a": {"lat": -52.5, "lon": 13.4}},
        {
            ("a", "o", 0),
            ("a", "g", sortable(-52.5, 13.4)),
            ("a.lat", "f", -52.5),
            ("a.lon", "f", 13.4),
        },
    ),
    ({"a": {"b": 1}}, {("a", "o", 0), ("a.b", "i", 1)}),
    ({"a": [1, "x"]}, {("a", "i", 1), ("a", "s", "x")}),
    ({"a": [{"b": 1}]}, {("a", "o", 0), ("a[].b", "i", 1)}),
    ({"a": [[1]]}, {("a", "a", 0)}),
    ({"a": [None]}, {("a", "n", 0)}),
    ({"a": None, "b": []}, set()),
    ({"a.b": 1}, {('"a.b"', "i", 1)}),
]
"""The table of `kv`, row by row."""


@pytest.mark.parametrize(("payload", "rows"), KEYS, ids=str)
def test_payloads_are_looked_up_as_documented(
    collection: LocalCollection, tmp_path: Path, payload: dict[str, Any], rows: set[Any]
) -> None:
    collection.upsert([a_point(payload)])
    with closing(sqlite3.connect(folder_of(tmp_path) / "collection.db")) as db:
        assert set(db.execute("SELECT key, type, value FROM kv")) == rows


def a_point(payload: dict[str, Any], number: int = 0) -> Point:
    vector = np.eye(12, dtype=np.float32)[number % 12]
    return Point(point_id("a", "segment", number), "a", {"c": vector}, payload)
