"""Restore snapshots into folders; everything is checked before it is used."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from indexer.checks import check_schema
from indexer.errors import InvalidArchive
from indexer.local import lock
from indexer.local.collection import LocalCollection
from indexer.local.database import FILE, translated
from indexer.local.filesystem import sync, sync_folder
from indexer.local.rawfile import FOLDER
from indexer.local.snapshot import MANIFEST, Hashed, Manifest, opened, read_manifest

_CHUNK = 8 << 20


def check_snapshot(archive: Path) -> Manifest:
    """What a snapshot says of itself, once all of it was compared with its checksums.

    Raises `InvalidArchive`, `NewerFormat`, `StorageError`.
    """
    manifest = read_manifest(archive)
    with translated(f"check the snapshot {archive}"):
        _read(archive, manifest, _look)
    return manifest


def unpack(archive: Path, manifest: Manifest, folder: Path) -> None:
    """Make an empty folder the collection of a snapshot, checked, and on the disk.

    Raises `InvalidArchive`, `NewerFormat`, `CollectionDamaged`; the folder is then of no use.
    """
    (folder / FOLDER).mkdir()
    (folder / lock.FILE).touch()
    _read(archive, manifest, partial(_extract, folder))
    sync_folder(folder / FOLDER)
    _check(archive, folder)
    sync_folder(folder)


def _read(archive: Path, manifest: Manifest, take: Callable[[str, Hashed], None]) -> None:
    """Have `take` read each member to its end, and compare it with what the manifest says."""
    missing = set(manifest.files)
    with opened(archive) as tar:
        for member in tar:
            if member.name == MANIFEST:
                continue
            # Names are looked up, never followed: only what the manifest may name is written.
            if member.name not in missing:
                raise InvalidArchive(
                    f"{archive.name} holds {member.name!r}, which does not belong in a snapshot"
                )
            missing.remove(member.name)
            expected = manifest.files[member.name]
            source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if source is None or member.size != expected.bytes:
                raise InvalidArchive(
                    f"{archive.name}: {member.name} is not the file it is said to be"
                )
            hashed = Hashed(source)
            take(member.name, hashed)
            if hashed.sha256.hexdigest() != expected.sha256:
                raise InvalidArchive(f"{archive.name}: {member.name} does not match its checksum")
    if missing:
        raise InvalidArchive(f"{archive.name} lacks {', '.join(sorted(missing))}")


def _look(_: str, source: Hashed) -> None:
    while source.read(_CHUNK):
        pass


def _extract(folder: Path, name: str, source: Hashed) -> None:
    with (folder / name).open("xb") as out:
        shutil.copyfileobj(source, out, _CHUNK)
        out.flush()
        sync(out.fileno())


def _check(archive: Path, folder: Path) -> None:
    """Look at it as a collection, before anybody else does."""
    with closing(sqlite3.connect(folder / FILE)) as database:
        foreign = database.execute(
            "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')"
        ).fetchone()
    if foreign:
        raise InvalidArchive(
            f"{archive.name}: its database has {foreign[0]!r}, which is not of ours"
        )
    collection = LocalCollection(folder)
    try:
        check_schema(collection.schema)
        collection.verify()
    finally:
        collection.close()
