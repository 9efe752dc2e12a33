"""Snapshots back into folders: nothing is believed before it was checked."""

import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from indexer.checks import check_schema
from indexer.errors import InvalidArchive
from indexer.local import lock
from indexer.local.collection import LocalCollection
from indexer.local.database import FILE
from indexer.local.filesystem import sync, sync_folder
from indexer.local.rawfile import FOLDER
from indexer.local.snapshot import MANIFEST, Hashed, Manifest, opened

_CHUNK = 8 << 20


def unpack(archive: Path, manifest: Manifest, folder: Path) -> None:
    """Make an empty folder the collection of a snapshot, checked, and on the disk.

    Raises `InvalidArchive`, `NewerFormat`, `CollectionDamaged`; the folder is then of no use.
    """
    (folder / FOLDER).mkdir()
    (folder / lock.FILE).touch()
    missing = set(manifest.files)
    with opened(archive) as tar:
        for member in tar:
            if member.name == MANIFEST:
                continue
            # Names are looked up, never followed: only what the manifest may name is written.
            if member.name not in missing:
                raise InvalidArchive(
                    f"{archive.name} holds {member.name!r}, which is no part of it"
                )
            missing.remove(member.name)
            _extract(archive, manifest, tar, member, folder)
    if missing:
        raise InvalidArchive(f"{archive.name} lacks {', '.join(sorted(missing))}")
    sync_folder(folder / FOLDER)
    _check(archive, folder)
    sync_folder(folder)


def _extract(
    archive: Path, manifest: Manifest, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path
) -> None:
    expected = manifest.files[member.name]
    source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if source is None or member.size != expected.bytes:
        raise InvalidArchive(f"{archive.name}: {member.name} is not the file it is said to be")
    hashed = Hashed(source)
    with (folder / member.name).open("xb") as out:
        shutil.copyfileobj(hashed, out, _CHUNK)
        out.flush()
        sync(out.fileno())
    if hashed.sha256.hexdigest() != expected.sha256:
        raise InvalidArchive(f"{archive.name}: {member.name} does not match its checksum")


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
