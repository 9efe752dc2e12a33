"""Segment files that are not as they were written, and machines without FAISS or with two."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from indexer import LocalCollection, LocalStore, Schema
from tests.indexer.local.test_damage import flip
from tests.indexer.local.test_segments import DIM, OPTIONS, agrees, files, points, vector


def replaced(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def flipped(share: float, path: Path) -> None:
    flip(path, int(share * path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: replaced(path, b""),
    "half": lambda path: replaced(path, path.read_bytes()[: path.stat().st_size // 2]),
    "longer": lambda path: replaced(path, path.read_bytes() + b"x"),
    "of zeros": lambda path: replaced(path, bytes(path.stat().st_size)),
    "garbled": lambda path: replaced(
        path, path.read_bytes()[:4096] + b"\xa5" * 4096 + path.read_bytes()[8192:]
    ),
    **{
        f"flipped at {share}": partial(flipped, share)
        for share in (0, 0.001, 0.01, 0.05, 0.3, 0.7, 0.999)
    },
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path, file_bytes=40_000, index=OPTIONS)
    yield opened
    opened.close()


@pytest.fixture
def segment(store: LocalStore, tmp_path: Path) -> Path:
    """The file of a closed collection of 1000 points."""
    made = store.create("photos", Schema({"c": DIM}))
    made.upsert(points(1000))
    made.seal()
    store.close()
    [path] = files(tmp_path)
    return path


def wait_for(collection: LocalCollection) -> None:
    """Until the background has sealed everything."""
    for _ in range(600):
        [index] = collection.index_info()
        if index.tail == 0 and all(found.usable for found in index.segments):
            return
        time.sleep(0.1)
    pytest.fail("nothing was sealed")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_built_again(
    store: LocalStore, segment: Path, tmp_path: Path, damage: str
) -> None:
    DAMAGES[damage](segment)
    collection = store.open("photos")
    assert agrees(collection) == {"scan"}
    [found] = collection.index_info()
    assert (found.tail, found.segments[0].usable) == (1000, False)
    collection.check_index()
    wait_for(collection)
    assert agrees(collection) == {"segments"}
    assert files(tmp_path) != [segment]
    assert len(files(tmp_path)) == 1


def test_damage_to_an_open_collection_is_found_by_verify(store: LocalStore, segment: Path) -> None:
    collection = store.open("photos")
    assert agrees(collection) == {"segments"}
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 4
    replaced(segment, bytes(content))
    collection.verify()
    wait_for(collection)
    assert agrees(collection) == {"segments"}
    collection.verify()


def test_what_crashes_left_is_removed(store: LocalStore, segment: Path, tmp_path: Path) -> None:
    for name in ("c-1.tmp", "c-2.faiss", "other"):
        (segment.parent / name).write_bytes(b"left by a crash")
    collection = store.open("photos")
    assert agrees(collection) == {"segments"}
    collection.seal()
    assert files(tmp_path) == [segment]


WITHOUT = """
import sys
from pathlib import Path
sys.modules["faiss"] = None
from indexer import LocalStore, Unsupported
from tests.indexer.local.test_segments import agrees
collection = LocalStore(Path(sys.argv[1])).open("photos")
assert agrees(collection) == {"scan"}
try:
    collection.seal()
except Unsupported as error:
    print(error)
"""


def test_without_faiss_the_answers_are_the_same(segment: Path, tmp_path: Path) -> None:
    child = run(WITHOUT, tmp_path)
    assert child.stdout == "sealing needs FAISS: install polylens[cpu] or polylens[gpu]\n"
    assert segment.exists()


TWICE = """
import sys
sys.path.append(sys.argv[2])
from pathlib import Path
from indexer import LocalStore, Unsupported
try:
    LocalStore(Path(sys.argv[1])).open("photos")
except Unsupported as error:
    print(error)
"""


def test_two_faiss_are_refused_with_the_remedy(segment: Path, tmp_path: Path) -> None:
    for name in ("faiss_cpu", "faiss_gpu_cu12"):
        folder = tmp_path / "site" / f"{name}-9.9.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    child = run(TWICE, tmp_path, tmp_path / "site")
    assert "`pip uninstall faiss-cpu faiss-gpu-cu12`" in child.stdout
    assert segment.exists()


NO_IMPORT = """
import sys
from pathlib import Path
from indexer import LocalStore
from tests.indexer.local.test_segments import points
collection = LocalStore(Path(sys.argv[1])).open("photos")
assert collection.count() == 1000
assert len(collection.scroll(limit=10).records) == 10
collection.upsert(points(1000, 1001))
assert "faiss" not in sys.modules
"""


def test_what_does_not_search_does_not_load_faiss(segment: Path, tmp_path: Path) -> None:
    run(NO_IMPORT, tmp_path)
    assert segment.exists()


def run(script: str, *arguments: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *map(str, arguments)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert child.returncode == 0, child.stderr
    return child


def test_a_folder_that_can_only_be_read_is_searched(store: LocalStore, segment: Path) -> None:
    collection = store.open("photos")
    hits = collection.search(vector(7), vector="c", limit=1).hits
    assert hits[0].asset == "file:///7"
    assert segment.exists()
