"""A disk that is full or fails: an error, nothing half done, and the store still opens."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import LocalCollection, LocalStore, StorageError
from indexer.local import rawfile
from tests.disks import mounted_disk
from tests.indexer.local.points import SCHEMA, assert_holds, points, vector


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted_disk(tmp_path / "disk", "2m") as folder:
        yield folder


def test_a_full_disk_is_an_error_and_the_store_still_opens(small_disk: Path) -> None:
    store = LocalStore(small_disk, file_bytes=100_000)
    collection = store.create("photos", SCHEMA)
    stored = fill(collection)
    assert 100 < stored < 20_000
    check(collection, stored)
    store.close()
    again = LocalStore(small_disk)
    check(again.open("photos"), stored)
    again.close()
    (small_disk / "ballast").unlink()
    third = LocalStore(small_disk)
    collection = third.open("photos")
    collection.upsert(points(range(stored, stored + 10)))
    check(collection, stored + 10)
    third.close()


def fill(collection: LocalCollection) -> int:
    """Write until there is no room, 10 points at a time; how many were acknowledged."""
    ballast = Path(collection._folder).parents[1] / "ballast"
    ballast.write_bytes(b"x" * 300_000)
    stored = 0
    with contextlib.suppress(StorageError):
        while True:
            collection.upsert(points(range(stored, stored + 10)))
            stored += 10
    for _ in range(3):
        with pytest.raises(StorageError):
            collection.upsert(points(range(90_000, 91_000)))
    return stored


def check(collection: LocalCollection, stored: int) -> None:
    assert_holds(collection, points(range(stored)))
    assert len(collection.search(vector(1), limit=10_000).hits) == stored
    collection.verify()


LIMITED = """
import resource, sys
from pathlib import Path
from indexer import LocalStore, StorageError
from tests.indexer.local.points import points
collection = LocalStore(Path(sys.argv[1])).open("photos")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
stored = 0
try:
    while True:
        collection.upsert(points(range(stored, stored + 10)))
        stored += 10
except StorageError:
    print(stored)
"""


@pytest.mark.parametrize("limit", [12_000, 60_000, 150_000])
def test_a_file_that_may_not_grow(collection: LocalCollection, tmp_path: Path, limit: int) -> None:
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(limit)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    check(collection, int(child.stdout))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_after_a_failed_sync_the_file_is_left_alone(
    collection: LocalCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(points(range(10)))
    synced: list[int] = []

    def failing(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        raise OSError(errno.EIO, "Input/output error")

    def watching(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        os.fsync(descriptor)

    monkeypatch.setattr(rawfile, "sync", failing)
    with pytest.raises(StorageError, match="Input/output error"):
        collection.upsert(points(range(10, 20)))
    [failed] = synced
    assert_holds(collection, points(range(10)))
    monkeypatch.setattr(rawfile, "sync", watching)
    collection.upsert(points(range(20, 30)))
    assert failed not in synced[1:]
    assert_holds(collection, [*points(range(10)), *points(range(20, 30))])
    collection.verify()
    other = LocalStore(tmp_path)
    assert_holds(other.open("photos"), [*points(range(10)), *points(range(20, 30))])
    other.close()
