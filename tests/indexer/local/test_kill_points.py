"""Killed at the system calls that matter, one after another, maintenance leaves old or new."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import LocalStore
from tests.indexer.local.points import SCHEMA, assert_holds, point, points
from tests.parts import require_part

WORK = """
import sys
from pathlib import Path
from indexer import LocalStore
root = Path(sys.argv[1])
store = LocalStore(root)
collection = store.open("photos")
collection.compact()
collection.snapshot(root / "photos.tar")
store.drop("copy")
store.restore(root / "photos.tar", "copy")
store.close()
"""
CALLS = ["fsync", "fdatasync", "rename", "unlink", "unlinkat", "ftruncate", "mkdir", "pwrite64"]
ALIVE = range(0, 1000, 3)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with a collection of which most is dead, and another."""
    store = LocalStore(tmp_path / "store", file_bytes=16_384)
    collection = store.create("photos", SCHEMA)
    collection.upsert(points(range(1000)))
    collection.delete([point(number).id for number in range(1000) if number % 3])
    store.create("copy", SCHEMA).upsert(points(range(5)))
    store.close()
    return tmp_path / "store"


def killed_at(root: Path, call: str, number: int) -> bool:
    """Whether there was a call of that number to be killed at."""
    script = [sys.executable, "-c", WORK, str(root)]
    inject = f"inject={call}:signal=KILL:when={number}"
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    child = subprocess.run([*trace, *script], capture_output=True, text=True, timeout=120)
    assert child.returncode in (0, -9, 137), child.stderr
    return child.returncode != 0


def check(root: Path) -> None:
    store = LocalStore(root)
    collection = store.open("photos")
    assert_holds(collection, points(ALIVE))
    collection.verify()
    if "copy" in store.names():
        copy = store.open("copy")
        assert_holds(copy, points(ALIVE if copy.count() > 5 else range(5)))
    if (root / "photos.tar").exists():
        assert_holds(store.restore(root / "photos.tar", "again"), points(ALIVE))
    collection.upsert([point(0)])
    collection.compact()
    assert_holds(collection, points(ALIVE))
    store.create("sweeps", SCHEMA)
    assert not list((root / "collections").glob(".*"))
    store.close()


def kill_at(root: Path, folder: Path, call: str, numbers: range) -> int:
    """Kill at each of these calls; how many there were."""
    require_part(shutil.which("strace") is not None, "strace")
    for count, number in enumerate(numbers):
        shutil.copytree(root, folder / str(number))
        if not killed_at(folder / str(number), call, number):
            return count
        check(folder / str(number))
    return len(numbers)


SOME = {"unlink": range(2, 3), "rename": range(1, 4, 2), "pwrite64": range(7, 16, 2)}


@pytest.mark.parametrize("call", SOME)
def test_killed_at_some_system_calls(root: Path, tmp_path: Path, call: str) -> None:
    assert kill_at(root, tmp_path, call, SOME[call]) == len(SOME[call])


@pytest.mark.long
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_every_system_call(root: Path, tmp_path: Path, call: str) -> None:
    step = 4 if call == "pwrite64" else 1
    count = kill_at(root, tmp_path, call, range(1, 10_000, step))
    print(f"{count} calls of {call}")
    assert count > 0 or call in {"ftruncate", "unlink"}
