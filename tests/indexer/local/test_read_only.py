"""A collection in a folder that may only be read."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer import LocalStore
from tests.indexer.local.points import SCHEMA, assert_holds, points

CHECK = """
import os, sys, numpy.testing
from pathlib import Path
from indexer import LocalStore, StorageError
from tests.indexer.local.points import assert_holds, points, point, vector
if os.geteuid() == 0:  # which may write anywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = LocalStore(Path(sys.argv[1]))
collection = store.open("photos")
count = int(sys.argv[2])
assert_holds(collection, points(range(count)))
assert len(collection.search(vector(1), limit=100).hits) == count
assert list(collection.ledger.rows()) == []
collection.verify()
for write in (lambda: collection.upsert([point(999)]), lambda: store.create("b", collection.schema),
              lambda: store.drop("photos")):
    try:
        write()
    except StorageError as error:
        print(error)
    else:
        sys.exit("a write went through")
if len(sys.argv) > 3:
    print("look", flush=True)
    sys.stdin.readline()
    assert_holds(collection, points(range(count + 5)))
store.close()
"""


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with 20 points that other users can read and not write."""
    folder = tmp_path_factory.mktemp("read-only")
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    top = folder.parent.parent
    mode = top.stat().st_mode
    top.chmod(0o755)
    store = LocalStore(folder)
    store.create("photos", SCHEMA).upsert(points(range(20)))
    store.close()
    yield folder
    allow_writing(folder, True)
    top.chmod(mode)
    shutil.rmtree(folder)


def allow_writing(folder: Path, allowed: bool) -> None:
    for path in [folder, *folder.rglob("*")]:
        mode = 0o755 if path.is_dir() else 0o644
        path.chmod(mode if allowed else mode & ~0o222)


def run(root: Path, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-B", "-c", CHECK, str(root), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("log", [True, False])
def test_a_closed_collection_is_read_where_nothing_can_be_written(root: Path, log: bool) -> None:
    """With SQLite's log beside the database, or without, as after a restoration."""
    folder = root / "collections" / "photos"
    if not log:
        with closing(sqlite3.connect(folder / "collection.db")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (folder / "collection.db-wal").exists() == log
    allow_writing(root, False)
    before = sorted(str(path) for path in root.rglob("*"))
    child = run(root, 20)
    output, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    assert "can only be read" in output
    assert sorted(str(path) for path in root.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: needs two users, so root")
@pytest.mark.parametrize("closed", [True, False])
def test_another_users_writes_are_seen_by_one_who_can_only_read(root: Path, closed: bool) -> None:
    child = run(root, 20, "look")
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(4)]
    assert lines[-1] == "look\n", child.communicate()[1]
    store = LocalStore(root)
    store.open("photos").upsert(points(range(20, 25)))
    if closed:
        store.close()
    _, errors = child.communicate("\n", timeout=60)
    assert child.returncode == 0, errors
    assert_holds(store.open("photos"), points(range(25)))
    store.close()
