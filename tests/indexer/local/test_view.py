"""Views: what changes in between, and rows that are not to be seen."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from indexer import Filter, LocalCollection, LocalStore
from indexer.local import view
from indexer.local.database import FILE
from indexer.local.view import LeafCache, Rows
from tests.indexer.local.points import assert_holds, asset_write, point, points, vector


def test_rows_are_found_whatever_their_order() -> None:
    numbers = np.array([5, 7, 8, 2, 3])
    rows = Rows(numbers, np.ones(5, np.bool_))
    positions, here = rows.find(np.array([3, 4, 5, 99, 0, 8]))
    assert here.tolist() == [True, False, True, False, False, True]
    assert numbers[positions[here]].tolist() == [3, 5, 8]
    assert rows.mask(np.array([2, 6])).tolist() == [False, False, False, True, False]


def test_no_rows() -> None:
    rows = Rows(np.empty(0, np.int64), np.empty(0, np.bool_))
    assert rows.positions(np.array([1, 2])).tolist() == []
    assert rows.mask(np.array([1])).tolist() == []


def test_unpublished_rows_are_in_no_answer(collection: LocalCollection, tmp_path: Path) -> None:
    collection.upsert(points(range(6)))
    hidden = [point(number).id.bytes for number in (1, 4)]
    database = sqlite3.connect(tmp_path / "collections" / "photos" / FILE)
    with database:
        database.executemany("UPDATE point SET born = NULL WHERE id = ?", [(h,) for h in hidden])
        database.execute("DELETE FROM kv")
        database.execute("UPDATE collection SET version = version + 1")
    visible = points([0, 2, 3, 5])
    assert_holds(collection, visible)
    found = collection.search(vector(1), limit=10).hits
    assert {hit.id for hit in found} == {one.id for one in visible}
    everything = Filter.parse({"must_not": [{"key": "x", "match": {"value": 1}}]})
    assert collection.count(everything) == 4
    assert collection.delete([point(1).id]) == 0
    assert collection.get([point(4).id]) == []
    collection.upsert([point(7)])
    with database:
        database.execute("UPDATE point SET born = 9 WHERE id = ?", (hidden[0],))
        database.execute("UPDATE collection SET version = version + 1")
    assert_holds(collection, points([0, 1, 2, 3, 5, 7]))
    collection.upsert([point(4, again=True)])
    assert_holds(collection, [*points([0, 1, 2, 3, 5, 7]), point(4, again=True)])
    collection.replace([asset_write(point(4).asset, [])])
    assert_holds(collection, points([0, 1, 2, 3, 5, 7]))
    live = database.execute("SELECT count(*) FROM point WHERE died IS NULL").fetchone()
    assert live == (6,)
    database.close()


def test_a_fresh_view_and_a_grown_one_agree(collection: LocalCollection, tmp_path: Path) -> None:
    for number in range(0, 800, 16):
        collection.upsert(points(range(number, number + 16)))
        collection.delete([point(number + 3).id])
        collection.upsert(points(range(number, number + 2), again=number))
        assert collection.count() == (number // 16 + 1) * 15
    other = LocalStore(tmp_path)
    for tree in (None, Filter.parse({"must": [{"is_empty": {"key": "again"}}]})):
        grown = collection.search(vector(1), limit=1000, filter=tree)
        assert grown == other.open("photos").search(vector(1), limit=1000, filter=tree)
        assert len(grown.hits) == (750 if tree is None else 650)
    other.close()


def test_the_cache_of_conditions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "_CACHE_BYTES", 100_000)
    cache, nothing = LeafCache(), np.empty(0, np.int64)
    for number in range(1000):
        cache.put(f"{number}", nothing)
        assert len(cache.found) <= 250
    cache.put("x" * 20_000, nothing)
    assert cache.size >= 80_000
    cache.put("numbers", np.arange(20_000))
    assert list(cache.found) == ["numbers"]
