"""Find garbage in raw files: rows of dead points, and files that no record names."""

import contextlib
import fcntl
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionDamaged
from indexer.local.lock import folder_lock
from indexer.local.rawfile import FOLDER, RawFile
from indexer.local.view import Ints, Rows

Floats = NDArray[np.float32]

_BLOCK_BYTES = 32 << 20


def files_with_dead(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """The raw files (vector name, number) in which dead points still take up room."""
    dead = _dead(connection)
    found: dict[tuple[str, int], None] = {}
    for name, number, points in connection.execute("SELECT name, file, points FROM raw_range"):
        if dead.find(np.frombuffer(points, "<i8"))[1].any():
            found[name, number] = None
    return list(found)


def live_rows(connection: sqlite3.Connection, file: RawFile) -> Iterator[tuple[Ints, Floats]]:
    """The rows of points that have not died, int64 `[m]`, and their vectors, float32 `[m, dim]`.

    They come in blocks of some megabytes. Raises `CollectionDamaged` where a checksum does not
    match, or moving the bytes would hide that they are not those that were committed.
    """
    dead = _dead(connection)
    block_rows = max(1, _BLOCK_BYTES // file.row_bytes)
    points, vectors = [np.empty(0, np.int64)], [np.empty((0, file.dim), np.float32)]
    held = 0
    for part, rows in checked_ranges(connection, file):
        for start in range(0, len(part), block_rows):
            here = part[start : start + block_rows]
            alive = ~dead.find(here)[1]
            points.append(here[alive])
            vectors.append(rows[start : start + block_rows][alive])
            held += len(points[-1])
            if held >= block_rows:
                yield np.concatenate(points), np.concatenate(vectors)
                points, vectors, held = [], [], 0
    if held:
        yield np.concatenate(points), np.concatenate(vectors)


def sweep(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove raw files that no record names: a crash left them, unless somebody reads them still.

    Called under the commit lock, so that nobody is about to write one.
    """
    with folder_lock(folder / FOLDER, fcntl.LOCK_EX) as alone:
        if not alone:
            return
        known = connection.execute("SELECT name, number FROM raw_file").fetchall()
        names = {f"{name}-{number:06d}.f32" for name, number in known}
        for path in (folder / FOLDER).iterdir():
            if path.name not in names:
                with contextlib.suppress(OSError):
                    path.unlink()


def checked_ranges(connection: sqlite3.Connection, file: RawFile) -> Iterator[tuple[Ints, Floats]]:
    """The points of each range of a file and their vectors, once its checksum was found to match.

    Raises `CollectionDamaged`.
    """
    found = connection.execute(
        "SELECT slot, count, crc32, points FROM raw_range WHERE name = ? AND file = ? "
        "ORDER BY number",
        (file.name, file.number),
    ).fetchall()
    mapped = file.map(sum(count for _, count, _, _ in found))
    for slot, count, crc, points in found:
        rows = mapped[slot : slot + count]
        if zlib.crc32(rows.data.cast("B")) != crc:
            raise CollectionDamaged(
                f"{file.path}: rows {slot} to {slot + count} do not match their checksum"
            )
        yield np.frombuffer(points, "<i8").astype(np.int64), rows


def _dead(connection: sqlite3.Connection) -> Rows:
    rows = connection.execute("SELECT rowid FROM point WHERE died IS NOT NULL")
    points = np.sort(np.fromiter((row for (row,) in rows), np.int64))
    return Rows(points, np.zeros(len(points), np.bool_))
