"""Snapshots: one state of a collection in one file, a plain tar that other programs can read too.

Its members are `collection.db`, `vectors/*.f32` up to their committed lengths, and `manifest.json`
with the size and SHA-256 of each. Sealed segments are left out: they are built again.
"""

import hashlib
import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexer.errors import InvalidArchive, NewerFormat, StorageError
from indexer.local.compact import keep_files
from indexer.local.database import FILE, translated
from indexer.local.drafts import draft
from indexer.local.engine import Engine
from indexer.local.filesystem import sync, sync_folder
from indexer.local.rawfile import FOLDER, RawFile
from indexer.local.reclaim import checked_ranges
from indexer.local.schema import read_schema

FORMAT = 1
MANIFEST = "manifest.json"
_MOST_MANIFEST = 64 << 20

Member = Annotated[
    str, Field(pattern=rf"^({FILE}|{FOLDER}/[a-z0-9][a-z0-9_-]{{0,31}}-[0-9]{{6,12}}\.f32)$")
]


class FileEntry(BaseModel):
    """A member of the archive."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What a snapshot holds: `storage` is the format of its database, `created` in UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: int
    name: str
    uid: UUID
    storage: int
    created: datetime
    points: int
    vectors: dict[str, int]
    encoder: str
    files: dict[Member, FileEntry]

    @property
    def bytes(self) -> int:
        """Of all members together."""
        return sum(entry.bytes for entry in self.files.values())


def write_snapshot(engine: Engine, folder: Path, target: Path, timeout: float) -> Manifest:
    """One state of the collection, as the file `target`; searches and writes go on meanwhile.

    Beside it there must be room for the snapshot and, for a while, the database once more. Raises
    `CollectionBusy` while the collection is compacted, `CollectionDamaged` and `StorageError`.
    """
    with translated(f"write the snapshot {target}"):
        if target.exists():
            raise StorageError(f"{target} exists already: choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft(target.parent, target.name) as place, keep_files(folder, timeout):
            # The database first: raw files only grow, so what it names is there when it is done.
            with (
                engine.readers.connection() as connection,
                closing(sqlite3.connect(place / FILE)) as copy,
            ):
                connection.backup(copy)
                with copy:  # segments are not taken along
                    copy.execute("DELETE FROM segment")
            with closing(sqlite3.connect(place / FILE)) as copy:
                manifest = _archive(engine, copy, place, folder)
            (place / "snapshot").rename(target)
            sync_folder(target.parent)
    return manifest


def read_manifest(archive: Path) -> Manifest:
    """What a snapshot says of itself; raises `InvalidArchive`, `NewerFormat` or `StorageError`."""
    with translated(f"read the snapshot {archive}"), opened(archive) as tar:
        try:
            member = tar.getmember(MANIFEST)
        except KeyError:
            raise InvalidArchive(
                f"{archive.name} is not a snapshot: it has no {MANIFEST}"
            ) from None
        content = tar.extractfile(member) if member.size <= _MOST_MANIFEST else None
        return _parsed(archive, content.read() if content else b"")


@contextmanager
def opened(archive: Path) -> Iterator[tarfile.TarFile]:
    """The tar file; what it cannot make sense of becomes `InvalidArchive`."""
    try:
        with tarfile.open(archive, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise InvalidArchive(
            f"{archive.name} is not a snapshot, or is truncated: {error}"
        ) from error


def _parsed(archive: Path, content: bytes) -> Manifest:
    try:
        described = json.loads(content)
        if isinstance(described, dict) and _is_newer(described.get("format")):
            raise NewerFormat(
                f"{archive.name} has snapshot format {described['format']}; this version of "
                f"polylens reads up to {FORMAT}. Upgrade polylens."
            )
        return Manifest.model_validate_json(content)
    except (ValueError, RecursionError) as error:
        wrong = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InvalidArchive(f"{archive.name}: its {MANIFEST} cannot be read: {wrong}") from error


def _is_newer(number: object) -> bool:
    return isinstance(number, int) and number > FORMAT


def _archive(engine: Engine, database: sqlite3.Connection, place: Path, folder: Path) -> Manifest:
    """Write the archive `place / "snapshot"` from a copy of the database and the raw files."""
    schema = read_schema(database)[1]
    sources = {FILE: (place / FILE, (place / FILE).stat().st_size)}
    for name, number, slots in database.execute(
        "SELECT name, number, slots FROM raw_file WHERE slots > 0"
    ):
        file = RawFile(folder, engine.uid, name, schema.vectors[name], number)
        sources[f"{FOLDER}/{file.path.name}"] = (file.path, file.offset(slots))
        for _ in checked_ranges(database, file):
            pass  # damage is not passed on
    files = {}
    with (place / "snapshot").open("xb") as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for member, (path, length) in sources.items():
                files[member] = _add(tar, member, path, length)
            manifest = _manifest(database, folder.name, files)
            described = manifest.model_dump_json(indent=1).encode()
            tar.addfile(_info(MANIFEST, len(described)), BytesIO(described))
        out.flush()
        sync(out.fileno())
    return manifest


def _manifest(database: sqlite3.Connection, name: str, files: dict[str, FileEntry]) -> Manifest:
    uid, schema, _ = read_schema(database)
    [storage] = database.execute("PRAGMA user_version").fetchone()
    [points] = database.execute(
        "SELECT count(*) FROM point WHERE died IS NULL AND born IS NOT NULL"
    ).fetchone()
    return Manifest(
        format=FORMAT,
        name=name,
        uid=uid,
        storage=storage,
        created=datetime.now(UTC),
        points=points,
        vectors=dict(schema.vectors),
        encoder=schema.encoder,
        files=files,
    )


def _add(tar: tarfile.TarFile, member: str, path: Path, length: int) -> FileEntry:
    with path.open("rb") as file:
        hashed = Hashed(file)
        tar.addfile(_info(member, length), hashed)
    return FileEntry(bytes=length, sha256=hashed.sha256.hexdigest())


def _info(member: str, length: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(member)
    info.size, info.mode = length, 0o644
    info.mtime = int(time.time())
    return info


class Hashed:
    """A file that hashes what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data
