"""The files of sealed segments: whole and named in the database, or rubbish."""

import hashlib
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from indexer.errors import StorageError
from indexer.local import faiss_index
from indexer.local.calibrate import Calibration
from indexer.local.database import translated
from indexer.local.faiss_index import Index
from indexer.local.filesystem import sync, sync_folder
from indexer.local.options import IndexKind

FOLDER = "segments"
_COLUMNS = (
    "number, name, kind, factory, calibration, file, bytes, sha256, rows, version FROM segment"
)


@dataclass(frozen=True)
class SegmentFile:
    """A file just written: its name in the folder, its length, and its SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Record:
    """A row of the table `segment`; docs/index.md explains each column."""

    number: int
    name: str
    kind: IndexKind
    factory: str
    calibration: Calibration
    file: SegmentFile
    rows: int
    version: int


def records(connection: sqlite3.Connection) -> list[Record]:
    """Every segment, oldest first."""
    return [
        Record(
            number, name, kind, factory, Calibration.load(text), SegmentFile(*file), rows, version
        )
        for number, name, kind, factory, text, *file, rows, version in connection.execute(
            f"SELECT {_COLUMNS} ORDER BY number"
        )
    ]


def check_writable(folder: Path) -> None:
    """Raises `StorageError` where no segment could be written, before one is built in vain."""
    place = folder / FOLDER
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to {place}: {error.strerror}; allow this user to write there, or search "
            "without: vectors that are in no index are scanned"
        ) from error


def write(folder: Path, name: str, index: Index) -> SegmentFile:
    """Store an index durably in the collection's `folder`, under a name that none had before.

    Raises `StorageError`.
    """
    place = folder / FOLDER / f"{name}-{uuid4().hex}.faiss"
    draft = place.with_suffix(".tmp")
    with translated(f"write the segment {place}"):
        try:
            faiss_index.write(index, draft)
        except RuntimeError as error:  # FAISS's word for a file that it cannot write
            raise OSError(str(error).splitlines()[-1]) from error
        with draft.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            sync(file.fileno())
        draft.rename(place)
        sync_folder(place.parent)
        return SegmentFile(place.name, place.stat().st_size, digest)


def is_whole(folder: Path, file: SegmentFile) -> bool:
    """Whether the file is there, byte for byte."""
    try:
        with (folder / FOLDER / file.name).open("rb") as opened:
            return (
                opened.seek(0, 2) == file.bytes
                and opened.seek(0) == 0
                and hashlib.file_digest(opened, "sha256").hexdigest() == file.sha256
            )
    except OSError:
        return False


def sweep(folder: Path, connection: sqlite3.Connection) -> None:
    """Remove the files that no record names. Called by whoever builds, so that none is at work.

    What a reader still maps, the system keeps for it.
    """
    known = {name for (name,) in connection.execute("SELECT file FROM segment")}
    for path in (folder / FOLDER).iterdir():
        if path.name not in known:
            path.unlink(missing_ok=True)
