"""Many writers and readers at once, in threads and in processes."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path

import numpy as np
import pytest

from indexer import CollectionBusy, InvalidPoint, LocalCollection, LocalStore
from indexer.local.lock import CommitLock
from tests.indexer.local.points import SCHEMA, assert_holds, asset_write, point, points, vector

WRITER = """
import sys
from pathlib import Path
from indexer import LocalStore
from tests.indexer.local.points import point
folder, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
collection = LocalStore(folder, lock_timeout=60).open("photos")
print("ready", flush=True)
sys.stdin.readline()
for number in range(start, stop):
    collection.upsert([point(number, by=start), point(5000 + number % 10, "shared", by=number)])
"""

READER = """
import json, sys
from pathlib import Path
from indexer import LocalStore
from tests.indexer.local.test_processes import torn
collection = LocalStore(Path(sys.argv[1])).open("photos")
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(torn(collection, int(sys.argv[2]))), flush=True)
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that has said it is ready, and waits for a line."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n", child.communicate()[1]
    return child


def test_two_processes_interleave_a_thousand_commits(
    collection: LocalCollection, tmp_path: Path
) -> None:
    writers = [start(WRITER, tmp_path, first, first + 500) for first in (0, 500)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=300)
        assert writer.returncode == 0, errors
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    own = [record for record in records if record.asset != "shared"]
    expected = [point(number, by=number // 500 * 500) for number in range(1000)]
    assert sorted(record.id for record in own) == sorted(one.id for one in expected)
    payloads = {record.id: record.payload for record in own}
    assert all(payloads[one.id] == one.payload for one in expected)
    shared = [record for record in records if record.asset == "shared"]
    assert len(shared) == 10
    # The last write of either process to each shared point came last.
    assert all(record.payload["by"] in range(490, 500) or record.payload["by"] >= 990
               for record in shared)  # fmt: skip
    collection.verify()
    hits = collection.search(vector(0), limit=10_000).hits
    assert len({hit.id for hit in hits}) == len(hits) == 1010


def torn(collection: LocalCollection, times: int) -> list[str]:
    """Look at an asset whose five points are always replaced together; what was wrong with it."""
    faults = []
    for number in range(times):
        if number % 2:
            found = [(r.payload["round"], r.id) for r in collection.scroll(limit=100).records]
        else:
            result = collection.search(vector(1), limit=100)
            found = [(hit.payload["round"], hit.id) for hit in result.hits]
        if len(found) != 5 or len(set(found)) != 5 or len({mark for mark, _ in found}) != 1:
            faults.append(str(found))
    return faults


@contextmanager
def rewritten(collection: LocalCollection, between: Callable[[int], object] = id) -> Iterator[None]:
    """While it lasts, a thread replaces all points of an asset, again and again."""
    collection.replace([asset_write("video", range(5), round=0)])
    stop = threading.Event()

    def write() -> None:
        for number in takewhile(lambda _: not stop.is_set(), count(1)):
            first = number % 7
            collection.replace([asset_write("video", range(first, first + 5), round=number)])
            between(number)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        yield
        stop.set()
        writer.result()


def check_readers(collection: LocalCollection, folder: Path) -> None:
    """Two threads and another process look at what is being rewritten, and find nothing torn."""
    with ThreadPoolExecutor(2) as pool, start(READER, folder, 1000) as other:
        here = [pool.submit(torn, collection, 1000) for _ in range(2)]
        output, errors = other.communicate("go\n", timeout=120)
        faults = [part.result() for part in here]
    assert other.returncode == 0, errors
    assert [*faults, json.loads(output)] == [[], [], []]


def test_readers_never_see_half_a_commit(collection: LocalCollection, tmp_path: Path) -> None:
    with rewritten(collection):
        check_readers(collection, tmp_path)


def test_a_read_sees_what_was_acknowledged_before_it(
    collection: LocalCollection, tmp_path: Path
) -> None:
    other = LocalStore(tmp_path).open("photos")
    for number in range(50):
        collection.upsert([point(number)])
        assert other.count() == number + 1
        assert other.search(vector(number), limit=1).hits[0].id == point(number).id
        other.set_payload([point(number).id], {"seen": True})
        assert collection.get([point(number).id])[0].payload == {"seen": True}
    other.close()


def together(count: int, work: Callable[[int], object]) -> list[BaseException | None]:
    """Run `work` in so many threads at once; the error of each."""
    barrier = threading.Barrier(count)

    def run(number: int) -> BaseException | None:
        barrier.wait()
        try:
            work(number)
        except InvalidPoint as error:
            return error
        return None

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_threads_share_commits(collection: LocalCollection) -> None:
    before = version(collection)

    def work(number: int) -> None:
        for step in range(5):
            collection.upsert([point(number * 10 + step)])

    together(32, work)
    assert_holds(collection, [point(n * 10 + m) for n in range(32) for m in range(5)])
    assert version(collection) - before < 160
    collection.verify()


def test_a_write_that_fails_in_a_shared_commit_fails_alone(collection: LocalCollection) -> None:
    large = {"text": "x" * 700_000}
    collection.upsert([point(number, **large) for number in range(16)])

    def work(number: int) -> None:
        if number % 2:
            collection.set_payload([point(number).id], {"more": "y" * 700_000})
        else:
            collection.upsert([point(number, new=True), point(100 + number)])

    errors = together(16, work)
    assert [error is not None for error in errors] == [number % 2 == 1 for number in range(16)]
    expected = [point(n, **large) if n % 2 else point(n, new=True) for n in range(16)]
    assert_holds(collection, expected + points(range(100, 116, 2)))
    collection.verify()


def test_a_busy_collection_names_who_holds_it(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, lock_timeout=0.2)
    collection = store.create("photos", SCHEMA)
    other = CommitLock(tmp_path / "collections" / "photos", 1)
    with other.held(), pytest.raises(CollectionBusy, match=r"'photos' .* process \d+ on "):
        collection.upsert([point(1)])
    other.close()
    collection.upsert([point(2)])
    assert_holds(collection, [point(2)])
    store.close()


def test_searches_run_beside_each_other_and_writes(collection: LocalCollection) -> None:
    collection.upsert(points(range(300)))

    def work(number: int) -> None:
        for step in range(20):
            collection.upsert([point(1000 + number * 20 + step)])
            wanted = 1000 + number * 20 + step
            [hit] = collection.search(vector(wanted), limit=1).hits
            assert hit.id == point(wanted).id

    together(8, work)
    assert collection.count() == 300 + 160


def version(collection: LocalCollection) -> int:
    with collection._engine().snapshot() as snapshot:
        return snapshot.view.version


def test_a_snapshot_stays_as_it_is(collection: LocalCollection) -> None:
    collection.upsert(points(range(10)))
    with collection._engine().snapshot() as snapshot:
        rows = snapshot.view.vectors["default"].rows
        alive = rows.alive.copy()
        collection.delete([point(3).id])
        collection.upsert(points(range(10, 900)))
        assert collection.count() == 899
        np.testing.assert_array_equal(rows.alive, alive)
        assert snapshot.connection.execute("SELECT count(*) FROM point").fetchone() == (10,)
