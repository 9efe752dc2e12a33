"""Sealed segments: when they are made, what is found through them, and what becomes of them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import (
    Filter,
    IndexOptions,
    InvalidQuery,
    LocalCollection,
    LocalStore,
    Point,
    Schema,
    point_id,
)
from tests.indexer.model import unit

DIM = 16
OPTIONS = IndexOptions(tail_rows=200, gather_rows=20, threads=1)


def vector(number: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(number).normal(size=DIM))


def point(number: int) -> Point:
    identity = point_id(f"file:///{number}", "image")
    return Point(identity, f"file:///{number}", {"c": vector(number)}, {"tenth": number % 10})


def points(*bounds: int) -> list[Point]:
    return [point(number) for number in range(*bounds)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path, file_bytes=40_000, index=OPTIONS)
    yield opened
    opened.close()


@pytest.fixture
def collection(store: LocalStore) -> LocalCollection:
    """1000 points, sealed."""
    made = store.create("photos", Schema({"c": DIM, "g": 3}))
    made.upsert(points(1000))
    made.seal()
    return made


def files(folder: Path) -> list[Path]:
    return sorted((folder / "collections" / "photos" / "segments").iterdir())


def agrees(collection: LocalCollection, tree: Filter | None = None) -> set[str]:
    """The ways of some searches, all of which find what an exact one does."""
    ways = set()
    for number in range(2000, 2020):
        query = vector(number)
        found = collection.search(query, vector="c", filter=tree)
        exact = collection.search(query, vector="c", filter=tree, effort=1)
        assert exact.exact
        assert found.hits == exact.hits
        assert found.exact == (found.way != "segments")
        ways.add(found.way)
    return ways


def test_what_is_sealed_is_found_as_before(collection: LocalCollection) -> None:
    index, other = collection.index_info()
    assert (index.name, index.dim, index.rows, index.tail) == ("c", DIM, 1000, 0)
    [segment] = index.segments
    assert (segment.kind, segment.rows, segment.live) == ("sq8", 1000, 1000)
    assert (other.name, other.segments) == ("g", ())
    assert agrees(collection) == {"segments"}


@pytest.mark.parametrize(("dim", "kind"), [(256, "sq8"), (257, "rabitq")])
def test_short_vectors_become_bytes(tmp_path: Path, dim: int, kind: str) -> None:
    """An exact scan of these is faster than 2-bit codes, but not than bytes."""
    rows = unit(np.random.default_rng(0).normal(size=(300, dim)))
    with closing(LocalStore(tmp_path, index=replace(OPTIONS, recall=0.1))) as store:
        made = store.create("photos", Schema({"c": dim}))
        made.upsert([replace(point(n), vectors={"c": row}) for n, row in enumerate(rows)])
        made.seal()
        assert [segment.kind for segment in made.index_info()[0].segments] == [kind]


def test_large_segments_are_bytes_where_memory_has_room() -> None:
    options = IndexOptions()
    assert options.kinds_of(10**6, 768, 2**33) == ("ivf-sq8",)
    assert options.kinds_of(10**6, 768, 2**30) == ("ivf-rabitq", "ivf-sq8")
    assert options.kinds_of(300_000, 768, 2**33) == ("rabitq", "sq8")


def test_the_tail_is_scanned_and_the_dead_are_not_found(collection: LocalCollection) -> None:
    collection.upsert(points(1000, 1100))
    collection.delete([point(number).id for number in range(0, 1100, 11)])
    assert agrees(collection) == {"segments"}
    assert collection.index_info()[0].tail == 91
    hits = collection.search(vector(11), vector="c", limit=640).hits
    assert not {point(number).id for number in range(0, 1100, 11)} & {hit.id for hit in hits}
    assert collection.search(vector(1099), vector="c", limit=1).hits[0].id == point(1099).id


def test_filters_choose_the_way(collection: LocalCollection) -> None:
    none = Filter.parse({"must": [{"key": "tenth", "match": {"value": 77}}]})
    few = Filter.parse({"must": [{"has_id": [str(point(number).id) for number in range(20)]}]})
    tenth = Filter.parse({"must": [{"key": "tenth", "match": {"value": 7}}]})
    half = Filter.parse({"must": [{"key": "tenth", "range": {"lt": 5}}]})
    for tree, way in ((none, "filter"), (few, "filter"), (tenth, "segments"), (half, "segments")):
        assert agrees(collection, tree) == {way}, tree
        assert agrees(collection, tree) == {way}, tree
    assert len(collection.search(vector(1), vector="c", filter=tenth, limit=200).hits) == 100


def test_effort_is_from_nothing_to_everything(collection: LocalCollection) -> None:
    query = vector(5)
    assert collection.search(query, vector="c", effort=0).way == "segments"
    assert collection.search(query, vector="c", effort=1).way == "scan"
    assert collection.search(query, vector="c", recall=0.5).way == "segments"
    assert collection.search(query, vector="c", limit=1000).way == "scan"
    for effort, recall in ((1.1, None), (-0.1, None), (None, 2.0), (1.0, 1.0)):
        with pytest.raises(InvalidQuery):
            collection.search(query, vector="c", effort=effort, recall=recall)


def test_segments_are_merged_and_old_files_go(collection: LocalCollection, tmp_path: Path) -> None:
    before = files(tmp_path)
    for start in range(1000, 3000, 250):
        collection.upsert(points(start, start + 250))
        collection.seal()
        assert len(collection.index_info()[0].segments) <= 4
    assert sum(s.rows for s in collection.index_info()[0].segments) == 3000
    assert len(files(tmp_path)) == len(collection.index_info()[0].segments)
    assert not set(before) & set(files(tmp_path))
    assert agrees(collection) == {"segments"}


def test_a_segment_of_many_dead_is_written_anew(collection: LocalCollection) -> None:
    collection.delete([point(number).id for number in range(190)])
    collection.seal()
    assert collection.index_info()[0].segments[0].dead_share == pytest.approx(0.19)
    collection.delete([point(number).id for number in range(190, 250)])
    collection.seal()
    [segment] = collection.index_info()[0].segments
    assert (segment.rows, segment.live) == (750, 750)
    assert agrees(collection) == {"segments"}


def test_segments_outlive_compaction(collection: LocalCollection, store: LocalStore) -> None:
    collection.upsert(points(0, 1000, 7))
    collection.compact()
    assert agrees(collection) == {"segments"}
    assert collection.index_info()[0].tail == 143
    store.close()
    again = store.open("photos")
    assert agrees(again) == {"segments"}
    again.seal()
    assert agrees(again) == {"segments"}
    again.verify()


def test_a_kind_asked_for_replaces_another(collection: LocalCollection, tmp_path: Path) -> None:
    collection.close()
    other = LocalStore(tmp_path, index=IndexOptions("hnsw-sq8", tail_rows=200, threads=1))
    asked = other.open("photos")
    asked.seal()
    assert [segment.kind for segment in asked.index_info()[0].segments] == ["hnsw-sq8"]
    assert agrees(asked) == {"segments"}
    other.close()


def test_another_process_uses_what_is_sealed_here(
    collection: LocalCollection, tmp_path: Path
) -> None:
    other = LocalStore(tmp_path, index=OPTIONS)
    watching = other.open("photos")
    assert agrees(watching) == {"segments"}
    collection.upsert(points(1000, 2000))
    collection.seal()
    assert agrees(watching) == {"segments"}
    assert watching.index_info() == collection.index_info()
    other.close()
