"""A vector name added to what is there, and filled in, on every store."""

from uuid import UUID

import numpy as np
import pytest

from indexer import Collection, InvalidName, InvalidPoint, LocalCollection, Point, Store, point_id
from indexer.local.reclaim import Floats
from tests.indexer.model import Model, Stored, assert_same, unit
from tests.indexer.operations import SCHEMA, Generator

SIZE = 7


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.create("photos", SCHEMA)


def filled(collection: Collection, seed: int = 1) -> tuple[Generator, Model]:
    generator, model = Generator(seed, 30, bound=2**52), Model()
    for _ in range(6):
        operation = generator.upsert(model)
        operation(collection)
        operation(model)
    return generator, model


def row(number: int) -> Floats:
    return unit(np.random.default_rng(number).normal(size=SIZE))


def fill(collection: Collection, model: Model, vectors: dict[UUID, dict[str, Floats]]) -> None:
    known = {point: named for point, named in vectors.items() if point in model.points}
    assert collection.set_vectors(vectors) == len(known)
    for point, named in known.items():
        old = model.points[point]
        model.points[point] = Stored(old.asset, {**old.vectors, **named}, old.payload)


def test_a_name_is_added_and_filled_in(store: Store, collection: Collection) -> None:
    _, model = filled(collection)
    collection.add_vector("new", SIZE, encoder="wider", fingerprint={"image": "abc"})
    collection.add_vector("new", SIZE)
    for opened in (collection, store.open("photos")):
        assert dict(opened.schema.vectors) == {**SCHEMA.vectors, "new": SIZE}
        assert opened.schema.encoder == "wider"
        assert dict(opened.schema.fingerprint) == {"image": "abc"}
    assert_same(collection, model)
    assert collection.search(row(0), vector="new").hits == []
    ids = sorted(model.points)
    for start in range(0, len(ids), 10):
        some = ids[start : start + 10]
        fill(collection, model, {point: {"new": row(point.int % 2**32)} for point in some})
        assert len(collection.search(row(0), vector="new", limit=1000).hits) == start + len(some)
    assert_same(collection, model)
    assert_same(store.open("photos"), model)
    [best] = collection.search(row(ids[3].int % 2**32), vector="new", limit=1).hits
    assert best.id == ids[3]
    collection.delete(ids[:5])
    for point in ids[:5]:
        del model.points[point]
    assert_same(collection, model)


@pytest.mark.parametrize("seed", range(3))
def test_vectors_are_set_among_other_edits(collection: Collection, seed: int) -> None:
    generator, model = filled(collection, seed)
    collection.add_vector("new", SIZE)
    for number in range(25):
        _, operation = generator.operation(model)
        operation(collection)
        operation(model)
        chosen = generator.random.sample(sorted(model.points), min(8, len(model.points)))
        vectors: dict[UUID, dict[str, Floats]] = {point_id("none", "text"): {"c": row_of("c")}}
        for point in chosen:
            vectors[point] = {"new": row(generator.random.randrange(50))}
            if generator.random.random() < 0.3:
                vectors[point]["g"] = generator.vector(SCHEMA.vectors["g"])
        fill(collection, model, vectors)
        if number % 6 == 5 and isinstance(collection, LocalCollection):
            collection.compact()
    assert_same(collection, model)
    hits = collection.search(row(3), vector="new", limit=1000).hits
    assert {hit.id for hit in hits} == {k for k, v in model.points.items() if "new" in v.vectors}
    if isinstance(collection, LocalCollection):
        collection.verify()


def row_of(name: str) -> Floats:
    return unit(np.ones(SCHEMA.vectors[name]))


def test_doing_it_again_writes_nothing(collection: Collection) -> None:
    _, model = filled(collection)
    collection.add_vector("new", SIZE)
    vectors = {point: {"new": row(7)} for point in model.points}
    fill(collection, model, vectors)
    before = collection.usage() if isinstance(collection, LocalCollection) else None
    for _ in range(3):
        fill(collection, model, vectors)
    assert_same(collection, model)
    if isinstance(collection, LocalCollection):
        assert before is not None
        after = collection.usage()
        assert (after.dead, after.vectors) == (before.dead, before.vectors)


def test_a_point_that_lacks_a_name_still_does_after_an_upsert(collection: Collection) -> None:
    point = Point(point_id("a", "image"), "a", {"c": row_of("c")})
    collection.upsert([point])
    collection.add_vector("new", SIZE)
    collection.set_vectors({point.id: {"new": row(1)}})
    collection.upsert([point])
    [record] = collection.get([point.id], with_vectors=["c", "new"])
    assert list(record.vectors) == ["c"]


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("c", 13),
        ("Not A Name", 4),
        ("", 4),
        ("x" * 33, 4),
        ("new", 0),
        ("new", 2**30),
        ("new", "4"),
    ],
)
def test_names_that_cannot_be_added(collection: Collection, name: str, dim: int) -> None:
    with pytest.raises(InvalidName, match=r".+"):
        collection.add_vector(name, dim)
    assert dict(collection.schema.vectors) == dict(SCHEMA.vectors)


@pytest.mark.parametrize(
    "vectors",
    [
        {"none": np.ones(3, np.float32)},
        {"c": np.ones(3, np.float32)},
        {"c": np.zeros(12, np.float32)},
        {"c": np.full(12, np.nan, np.float32)},
        {"c": [1.0] * 12},
        {},
    ],
    ids=str,
)
def test_a_bad_vector_changes_nothing(collection: Collection, vectors: dict[str, Floats]) -> None:
    _, model = filled(collection)
    first, second = sorted(model.points)[:2]
    with pytest.raises(InvalidPoint, match=str(second)):
        collection.set_vectors({first: {"c": row_of("c")}, second: vectors})
    assert_same(collection, model)
    assert collection.set_vectors({}) == 0
