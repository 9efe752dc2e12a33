"""Sealing by a process of its own, and what becomes of everything else when that dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import IndexOptions, LocalCollection, LocalStore, Schema
from tests.disks import mounted_disk
from tests.indexer.local.test_segments import DIM, files, points, vector

SLOW = IndexOptions("hnsw-sq8", tail_rows=1000, threads=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path, index=SLOW)
    yield opened
    opened.close()


def builder_of(collection: LocalCollection) -> int:
    """The process that seals a collection, once it is there."""
    assert collection._sealing is not None
    while collection._sealing._builder is None:
        assert collection._sealing._thread is not None, "nothing is being sealed"
        time.sleep(0.001)
    return collection._sealing._builder._child.pid


def wait_for_sealing(collection: LocalCollection) -> None:
    assert collection._sealing is not None
    while collection._sealing._thread is not None:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGKILL, "was killed"), (signal.SIGSEGV, "crashed (SIGSEGV)")]
)
def test_when_it_dies_writing_goes_on(
    store: LocalStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    number: signal.Signals,
    told: str,
) -> None:
    collection = store.create("photos", Schema({"c": DIM}))
    collection.upsert(points(2000))
    process = builder_of(collection)
    while not list(tmp_path.rglob("segments")):
        time.sleep(0.001)
    os.kill(process, number)
    collection.upsert(points(2000, 2010))
    wait_for_sealing(collection)
    assert f"sealing failed, searches go on without: the process at it {told}" in caplog.text
    assert collection.search(vector(7), vector="c").way == "scan"
    assert files(tmp_path) == []
    collection.upsert(points(2010, 2300))
    wait_for_sealing(collection)
    assert collection.index_info()[0].tail == 0
    assert collection.search(vector(7), vector="c").way == "segments"


WRITER = """
import sys, time
from pathlib import Path
from indexer import LocalStore, Schema
from tests.indexer.local.test_builder import SLOW, builder_of
from tests.indexer.local.test_segments import DIM, points
collection = LocalStore(Path(sys.argv[1]), index=SLOW).create("photos", Schema({"c": DIM}))
collection.upsert(points(3000))
print(builder_of(collection), flush=True)
time.sleep(60)
"""


def test_it_ends_with_the_process_that_started_it(store: LocalStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        builder = int(writer.stdout.readline())
        writer.kill()
    while is_running(builder):
        time.sleep(0.01)
    collection = store.open("photos")
    assert collection.index_info()[0].tail == 3000
    collection.seal()
    assert collection.index_info()[0].tail == 0
    assert len(files(tmp_path)) == 1


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"  # dead, and not waited for


def test_without_room_for_a_segment_writing_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = LocalStore(tmp_path, index=IndexOptions("sq8", tail_rows=2000, threads=1))
    collection = store.create("photos", Schema({"c": DIM}))
    with mounted_disk(tmp_path / "collections" / "photos" / "segments", "32k"):
        collection.upsert(points(2010))
        wait_for_sealing(collection)
        assert "sealing failed, searches go on without: could not write the segment" in caplog.text
        assert "No space left" in caplog.text
        assert files(tmp_path) == []
    collection.upsert(points(2010, 2600))
    wait_for_sealing(collection)
    assert collection.index_info()[0].tail == 0
    store.close()


WRITES = """
import sys, time
from pathlib import Path
from indexer import IndexOptions, LocalStore, Schema
from tests.indexer.local.test_builder import wait_for_sealing
from tests.indexer.local.test_segments import DIM, files, points
store = LocalStore(Path(sys.argv[1]), index=IndexOptions(tail_rows=200, threads=1))
collection = store.create("photos", Schema({"c": DIM}))
collection.upsert(points(300))
wait_for_sealing(collection)
assert len(files(Path(sys.argv[1]))) == 1
engine = collection._engine()
assert "faiss" not in sys.modules
assert not engine.seals.shelf._opened
assert not len(engine._viewer._view.points.points)
"""


def test_who_only_writes_has_nothing_of_it_in_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert child.returncode == 0, child.stderr


def test_who_serves_has_new_segments_open(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, index=IndexOptions(tail_rows=200, threads=1))
    collection = store.create("photos", Schema({"c": DIM}))
    collection.check_index()
    wait_for_sealing(collection)
    collection.upsert(points(300))
    wait_for_sealing(collection)
    assert len(collection._engine().seals.shelf._opened) == 1
    store.close()
