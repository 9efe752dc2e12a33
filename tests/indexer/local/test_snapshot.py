"""Snapshots hold one state of a collection, and what is not one is refused before it is there."""

import hashlib
import io
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer import (
    CollectionBusy,
    CollectionDamaged,
    CollectionExists,
    IndexOptions,
    InvalidArchive,
    InvalidName,
    LocalCollection,
    LocalStore,
    NewerFormat,
    StorageError,
    UnknownCollection,
)
from indexer.local.compact import keep_files
from indexer.local.database import FILE
from indexer.local.rawfile import HEADER_BYTES
from indexer.local.schema import MIGRATIONS
from indexer.local.snapshot import MANIFEST, read_manifest
from tests.indexer.local.points import SCHEMA as PLAIN
from tests.indexer.local.points import assert_holds, point, points, vector
from tests.indexer.local.test_compact import fill_up
from tests.indexer.local.test_damage import flip, raw_files
from tests.indexer.local.test_disk import small_disk
from tests.indexer.local.test_processes import rewritten, torn
from tests.indexer.local.test_read_only import allow_writing, root
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator

__all__ = ["root", "small_disk"]
Members = dict[str, bytes]


@pytest.fixture
def archive(collection: LocalCollection, tmp_path: Path) -> Path:
    """A snapshot of 500 points."""
    collection.upsert(points(range(500)))
    collection.snapshot(tmp_path / "photos.tar")
    return tmp_path / "photos.tar"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[LocalStore]:
    """A store that holds nothing."""
    opened = LocalStore(tmp_path / "elsewhere")
    yield opened
    opened.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_restored_collection_is_the_one_that_was(
    store: LocalStore, elsewhere: LocalStore, tmp_path: Path, seed: int
) -> None:
    collection, generator, model = store.create("full", SCHEMA), Generator(seed, 40), Model()
    for _ in range(20):
        _, operation = generator.operation(model)
        operation(collection)
        operation(model)
    manifest = collection.snapshot(tmp_path / "full.tar")
    assert (manifest.points, manifest.vectors) == (len(model.points), dict(SCHEMA.vectors))
    collection.delete(list(model.points))
    for other, name in ((store, "copy"), (elsewhere, None)):
        restored = other.restore(tmp_path / "full.tar", name)
        assert restored.name == (name or "full")
        assert restored.schema == SCHEMA
        assert_same(restored, model)
        restored.verify()
    _, operation = generator.upsert(model), generator.upsert(model)
    operation(restored)
    operation(model)
    assert_same(restored, model)


def test_a_snapshot_is_a_plain_tar_with_checksums(archive: Path) -> None:
    found = members(archive)
    manifest = json.loads(found.pop(MANIFEST))
    assert found.keys() == manifest["files"].keys()
    for name, content in found.items():
        assert manifest["files"][name]["bytes"] == len(content)
        assert manifest["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()
    assert read_manifest(archive).bytes == sum(map(len, found.values()))
    assert sorted(path.name for path in archive.parent.iterdir()) == ["collections", "photos.tar"]


def test_what_is_written_meanwhile_is_in_it_whole_or_not_at_all(
    collection: LocalCollection, elsewhere: LocalStore, tmp_path: Path
) -> None:
    with rewritten(collection):
        for number in range(15):
            collection.snapshot(tmp_path / f"{number}.tar")
            if number % 4 == 3:
                collection.compact()
    for number in range(15):
        restored = elsewhere.restore(tmp_path / f"{number}.tar", f"copy-{number}")
        assert torn(restored, 2) == []
        assert restored.ledger.get(["video"])["video"].points == 5


def test_sealed_segments_are_left_out_and_built_again(
    elsewhere: LocalStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sealing = LocalStore(tmp_path / "sealing", index=IndexOptions(tail_rows=100))
    collection = sealing.create("photos", PLAIN)
    collection.upsert(points(range(600)))
    collection.seal()
    collection.delete([point(number).id for number in range(0, 600, 3)])
    collection.compact()
    [index] = collection.index_info()
    assert (len(index.segments), index.rows, index.tail) == (1, 400, 0)
    alive = points(number for number in range(600) if number % 3)
    assert_holds(collection, alive)
    manifest = collection.snapshot(tmp_path / "photos.tar")
    assert {name.partition("/")[0] for name in manifest.files} == {"collection.db", "vectors"}
    restored = elsewhere.restore(tmp_path / "photos.tar")
    assert_holds(restored, alive)
    assert [found.segments for found in restored.index_info()] == [()]
    hits = collection.search(vector(1), limit=400, effort=1).hits
    assert restored.search(vector(1), limit=400).hits == hits
    restored.seal()
    assert len(restored.index_info()[0].segments) == 1
    assert restored.search(vector(1), limit=400, effort=1).hits == hits
    assert caplog.messages == []
    sealing.close()


@pytest.mark.usefixtures("archive")
def test_it_waits_for_a_compaction(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, lock_timeout=0.1)
    folder = tmp_path / "collections" / "photos"
    with keep_files(folder, 0, alone=True), pytest.raises(CollectionBusy):
        store.open("photos").snapshot(tmp_path / "other.tar")
    assert not (tmp_path / "other.tar").exists()
    store.close()


def test_names_that_are_taken_stay_as_they_are(store: LocalStore, archive: Path) -> None:
    collection = store.open("photos")
    collection.upsert([point(1000)])
    before = archive.read_bytes()
    with pytest.raises(StorageError, match="exists already"):
        collection.snapshot(archive)
    assert archive.read_bytes() == before
    for name in (None, "photos"):
        with pytest.raises(CollectionExists, match="'photos'"):
            store.restore(archive, name)
    with pytest.raises(InvalidName):
        store.restore(archive, "../photos")
    assert collection.count() == 501


def test_a_dropped_collection_comes_back(store: LocalStore, archive: Path) -> None:
    store.drop("photos")
    assert_holds(store.restore(archive), points(range(500)))
    with pytest.raises(UnknownCollection):
        store.open("copy")


def test_damage_is_not_passed_on(
    store: LocalStore, collection: LocalCollection, archive: Path, tmp_path: Path
) -> None:
    flip(raw_files(tmp_path / "collections" / "photos")[0], HEADER_BYTES + 5)
    with pytest.raises(CollectionDamaged, match=r"default-000000.f32: rows .* do not match"):
        collection.snapshot(tmp_path / "damaged.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collections", "photos.tar"]
    store.drop("photos")
    assert_holds(store.restore(archive), points(range(500)))


def members(archive: Path) -> Members:
    with tarfile.open(archive) as tar:
        return {m.name: content.read() for m in tar if (content := tar.extractfile(m))}


def rebuilt(archive: Path, change: Callable[[Members], None]) -> None:
    """Change the members of an archive, and the manifest to what they are."""
    found = members(archive)
    change(found)
    described = json.loads(found[MANIFEST])
    for name in described["files"]:
        content = found.get(name, b"")
        described["files"][name]["bytes"] = len(content)
        described["files"][name]["sha256"] = hashlib.sha256(content).hexdigest()
    write(archive, {**found, MANIFEST: json.dumps(described).encode()})


def write(archive: Path, content: Members) -> None:
    with tarfile.open(archive, "w") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def described(archive: Path, **changes: Any) -> None:  # noqa: ANN401
    found = members(archive)
    write(archive, {**found, MANIFEST: json.dumps(json.loads(found[MANIFEST]) | changes).encode()})


def renamed(archive: Path, name: str) -> None:
    """Call a raw file something else, in the archive and in the manifest."""
    found = members(archive)
    [old, *_] = [key for key in found if key.startswith("vectors/")]
    manifest = json.loads(found[MANIFEST])
    manifest["files"][name] = manifest["files"].pop(old)
    found[name] = found.pop(old)
    write(archive, {**found, MANIFEST: json.dumps(manifest).encode()})


def edited(archive: Path, script: str) -> None:
    """Run SQL on the database of a snapshot, and describe it as it then is."""

    def change(found: Members) -> None:
        path = archive.with_suffix(".db")
        path.write_bytes(found[FILE])
        database = sqlite3.connect(path)
        database.executescript(script)
        database.close()
        found[FILE] = path.read_bytes()
        path.unlink()

    rebuilt(archive, change)


def linked(archive: Path, kind: bytes) -> None:
    found = members(archive)
    with tarfile.open(archive, "w") as tar:
        for name, data in found.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if name.startswith("vectors/"):
                info.type, info.linkname, info.size = kind, "/etc/passwd", 0
            tar.addfile(info, io.BytesIO(data))


def twice(archive: Path) -> None:
    with tarfile.open(archive, "a") as tar:
        info = tarfile.TarInfo(FILE)
        tar.addfile(info, io.BytesIO(b""))


def cut(archive: Path, share: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])


def flipped(archive: Path, text: bytes, further: int) -> None:
    flip(archive, archive.read_bytes().index(text) + further)


STRANGE = "vectors/../../evil"
BAD: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "no tar": (lambda a: a.write_bytes(b"hello" * 999), InvalidArchive, "is not a snapshot"),
    "empty": (lambda a: a.write_bytes(b""), InvalidArchive, "is not a snapshot"),
    "half": (lambda a: cut(a, 0.5), InvalidArchive, "not a snapshot|cut short"),
    "a manifest cut short": (
        lambda a: cut(a, a.read_bytes().rindex(b"sha256") / a.stat().st_size),
        InvalidArchive,
        "truncated|cannot be read",
    ),
    "a flipped bit in the vectors": (
        lambda a: flipped(a, b"POLYLENS", HEADER_BYTES + 9),
        InvalidArchive,
        r"vectors/default-00000\d.f32 does not match its checksum",
    ),
    "a flipped bit in the database": (
        lambda a: flipped(a, b"SQLite format 3", 5000),
        InvalidArchive,
        "collection.db does not match its checksum",
    ),
    "no manifest": (lambda a: write(a, {FILE: b""}), InvalidArchive, MANIFEST),
    "a manifest that is no JSON": (lambda a: write(a, {MANIFEST: b"{"}), InvalidArchive, MANIFEST),
    "a deep manifest": (lambda a: write(a, {MANIFEST: b"[" * 99999}), InvalidArchive, MANIFEST),
    "a newer snapshot": (lambda a: described(a, format=2, new=1), NewerFormat, "format 2"),
    "a manifest that says less": (
        lambda a: described(a, files={}),
        InvalidArchive,
        "does not belong",
    ),
    "a strange file name": (lambda a: renamed(a, STRANGE), InvalidArchive, MANIFEST),
    "an absolute file name": (lambda a: renamed(a, "/tmp/evil"), InvalidArchive, MANIFEST),
    "a strange name": (lambda a: described(a, name="../x"), InvalidName, "x"),
    "one file more": (
        lambda a: rebuilt(a, lambda m: m.update({STRANGE: b"x"})),
        InvalidArchive,
        "evil",
    ),
    "one file less": (
        lambda a: write(a, {k: v for k, v in members(a).items() if "000000" not in k}),
        InvalidArchive,
        "lacks vectors/default-000000.f32",
    ),
    "a symbolic link": (lambda a: linked(a, tarfile.SYMTYPE), InvalidArchive, "is not the file"),
    "a hard link": (lambda a: linked(a, tarfile.LNKTYPE), InvalidArchive, "is not the file"),
    "a device": (lambda a: linked(a, tarfile.CHRTYPE), InvalidArchive, "is not the file"),
    "a file twice": (twice, InvalidArchive, "does not belong"),
    "a newer database": (
        lambda a: edited(a, f"PRAGMA user_version = {len(MIGRATIONS) + 1}"),
        NewerFormat,
        "storage format",
    ),
    "a trigger": (
        lambda a: edited(a, "CREATE TRIGGER t AFTER INSERT ON point BEGIN DELETE FROM point; END"),
        InvalidArchive,
        "'t'",
    ),
    "vectors of another file": (
        lambda a: edited(a, "UPDATE raw_file SET number = number + 10"),
        CollectionDamaged,
        "missing",
    ),
    "checksums of other vectors": (
        lambda a: edited(a, "UPDATE raw_range SET crc32 = crc32 + 1"),
        CollectionDamaged,
        "do not match their checksum",
    ),
    "a vector name that is a path": (
        lambda a: edited(a, """UPDATE collection SET vectors = '{"../x": 8}'"""),
        CollectionDamaged,
        "'../x'",
    ),
    "no database": (
        lambda a: rebuilt(a, lambda m: m.update({FILE: b"not a database" * 99})),
        CollectionDamaged,
        "not a database",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_snapshot_is_refused_and_leaves_nothing(
    elsewhere: LocalStore, archive: Path, tmp_path: Path, case: str
) -> None:
    damage, error, words = BAD[case]
    damage(archive)
    with pytest.raises(error, match=words):
        elsewhere.restore(archive)
    assert elsewhere.names() == []
    folder = tmp_path / "elsewhere" / "collections"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert not list(tmp_path.rglob("evil"))
    assert not Path("/tmp/evil").exists()


def test_a_file_that_is_not_there(elsewhere: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        elsewhere.restore(tmp_path / "none.tar")


def test_without_room_there_is_no_snapshot_and_no_copy(small_disk: Path, tmp_path: Path) -> None:
    roomy = LocalStore(tmp_path / "roomy")
    collection = roomy.create("photos", PLAIN)
    collection.upsert(points(range(20_000)))
    tight = LocalStore(small_disk)
    with pytest.raises(StorageError, match=r"space|full"):
        collection.snapshot(small_disk / "photos.tar")
    assert list(small_disk.iterdir()) == []
    collection.snapshot(tmp_path / "photos.tar")
    with pytest.raises(StorageError, match=r"space|full"):
        tight.restore(tmp_path / "photos.tar")
    assert list((small_disk / "collections").iterdir()) == []
    small = tight.create("small", PLAIN)
    small.upsert(points(range(10)))
    fill_up(small_disk / "ballast")
    with pytest.raises(StorageError, match=r"space|full"):
        small.snapshot(small_disk / "small.tar")
    (small_disk / "ballast").unlink()
    small.snapshot(small_disk / "small.tar")
    assert_holds(tight.restore(small_disk / "small.tar", "again"), points(range(10)))
    roomy.close()
    tight.close()


UNPRIVILEGED = """
import os, sys, numpy.testing
from pathlib import Path
from indexer import LocalStore, StorageError
from tests.indexer.local.points import SCHEMA as PLAIN
from tests.indexer.local.points import assert_holds, points
if os.geteuid() == 0:  # which may write anywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
root, mine = Path(sys.argv[1]), Path(sys.argv[2])
store = LocalStore(root)
collection = store.open("photos")
collection.snapshot(mine / "photos.tar")
own = LocalStore(mine)
assert_holds(own.restore(mine / "photos.tar"), points(range(20)))
for refused in (lambda: collection.snapshot(root / "photos.tar"), collection.compact,
                lambda: store.restore(mine / "photos.tar", "copy")):
    try:
        refused()
    except StorageError as error:
        print(error)
    else:
        sys.exit("it went through")
own.close()
store.close()
"""


def test_who_may_only_read_takes_snapshots_elsewhere(root: Path) -> None:
    mine = root.parent / f"{root.name}-mine"
    mine.mkdir()
    mine.chmod(0o777)
    allow_writing(root, False)
    before = sorted(root.rglob("*"))
    command = [sys.executable, "-B", "-c", UNPRIVILEGED, str(root), str(mine)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    told = child.stdout.splitlines()
    assert len(told) == 3
    assert "can only be read" in told[1]
    assert all("ermission denied" in line for line in (told[0], told[2]))
    assert sorted(root.rglob("*")) == before
    shutil.rmtree(mine)
