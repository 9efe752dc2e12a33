"""Searches, writes and sealing at once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer import IndexOptions, LocalCollection, LocalStore, Schema
from tests.indexer.local.test_segments import DIM, point, points, vector

OPTIONS = IndexOptions(tail_rows=100, gather_rows=10, threads=1)


def search_until(collection: LocalCollection, stop: threading.Event, seed: int) -> int:
    """Look for random points; how many searches it took."""
    choose = random.Random(seed)
    searches = 0
    while not stop.is_set():
        number = choose.randrange(400)  # never changed after it was written
        hits = collection.search(vector(number), vector="c", limit=20).hits
        assert len(hits) == len({hit.id for hit in hits}) == 20
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
        assert hits[0].id == point(number).id
        for hit in hits:
            one = vector(int(hit.asset.removeprefix("file:///"))).astype("f8")
            assert hit.score == pytest.approx(float(one @ vector(number).astype("f8")), abs=1e-6)
        searches += 1
    return searches


def write(collection: LocalCollection, first: int) -> None:
    """Add points, change some, remove some; each write is seen at once."""
    for start in range(first, first + 600, 25):
        collection.upsert(points(start, start + 25))
        collection.upsert(points(start, start + 5))
        collection.delete([point(start + 24).id])
        [best] = collection.search(vector(start + 7), vector="c", limit=1).hits
        assert best.id == point(start + 7).id
        gone = collection.search(vector(start + 24), vector="c", limit=1).hits
        assert gone[0].id != point(start + 24).id


def test_eight_search_while_two_write_and_segments_are_sealed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, file_bytes=40_000, index=OPTIONS)
    collection = store.create("photos", Schema({"c": DIM}))
    collection.upsert(points(400))
    stop = threading.Event()
    with ThreadPoolExecutor(10) as pool:
        searchers = [pool.submit(search_until, collection, stop, seed) for seed in range(8)]
        writers = [pool.submit(write, collection, first) for first in (1000, 5000)]
        try:
            for writer in writers:
                writer.result()
        finally:
            stop.set()
        assert all(searcher.result() > 0 for searcher in searchers)
    assert collection.count() == 400 + 2 * (600 - 24)
    [index] = collection.index_info()
    assert index.segments
    assert index.tail < index.rows / 2
    collection.seal()
    for number in range(1000, 1020):
        assert collection.search(vector(number), vector="c").way == "segments"
    store.close()


def test_closing_ends_what_is_being_sealed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, index=IndexOptions("hnsw-sq8", tail_rows=100, threads=1))
    collection = store.create("photos", Schema({"c": DIM}))
    collection.upsert(points(3000))
    store.close()
    assert not [t for t in threading.enumerate() if t.name == "polylens-seal"]
    again = store.open("photos")
    assert again.count() == 3000
    store.close()


def test_writers_wait_for_sealing_but_not_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = IndexOptions("hnsw-sq8", tail_rows=10, threads=1, patience=0.01)
    store = LocalStore(tmp_path, index=options)
    collection = store.create("photos", Schema({"c": DIM}))
    for start in range(0, 6000, 1000):
        collection.upsert(points(start, start + 1000))
    assert collection.count() == 6000
    assert "sealing is far behind" in caplog.text
    patient = LocalStore(tmp_path / "b", index=IndexOptions(tail_rows=50, threads=1))
    other = patient.create("photos", Schema({"c": DIM}))
    for start in range(0, 2000, 100):
        other.upsert(points(start, start + 100))
        assert other.index_info()[0].tail <= 4 * 50 + 100
    for opened in (store, patient):
        opened.close()
