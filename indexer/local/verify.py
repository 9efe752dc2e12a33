"""A full check of a collection: every committed byte against its checksum."""

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import CollectionDamaged
from indexer.local.rawfile import RawFile
from indexer.local.schema import read_schema

_CHUNK = 8 << 20
_RECORDS = {
    "points have an id that is none": "point WHERE length(id) <> 16",
    "points have a payload that is no JSON object": (
        "point WHERE NOT json_valid(payload) OR json_type(payload) <> 'object'"
    ),
    "ranges do not name the point of each row": "raw_range WHERE length(points) <> 8 * count",
    "payload keys belong to points that are not there": (
        "kv WHERE point NOT IN (SELECT rowid FROM point WHERE died IS NULL)"
    ),
    "texts belong to points that are not there": (
        "words WHERE rowid NOT IN (SELECT rowid FROM point WHERE died IS NULL)"
    ),
}
"""What no commit could have stored."""


def verify(connection: sqlite3.Connection, folder: Path) -> int:
    """The bytes of vectors checked; raises `CollectionDamaged` naming all that is wrong."""
    uid, schema, _ = read_schema(connection)
    found = list(_database_faults(connection))
    total = 0
    for name, number, slots in connection.execute(
        "SELECT name, number, slots FROM raw_file WHERE slots > 0"
    ):
        file = RawFile(folder, uid, name, schema.vectors[name], number)
        found += _file_faults(connection, file, slots)
        total += slots * file.row_bytes
    if found:
        raise CollectionDamaged(f"collection {folder.name!r}: " + "; ".join(found))
    return total


def _database_faults(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute("PRAGMA integrity_check(10)"):
        if line != "ok":
            yield f"database: {line}"
    for words, sql in _RECORDS.items():
        [count] = connection.execute(f"SELECT count(*) FROM {sql}").fetchone()  # noqa: S608
        if count:
            yield f"database: {count} {words}"


def _file_faults(connection: sqlite3.Connection, file: RawFile, slots: int) -> Iterator[str]:
    try:
        file.check(slots)
    except CollectionDamaged as error:
        yield str(error)
        return
    end = 0
    ranges = connection.execute(
        "SELECT slot, count, crc32 FROM raw_range WHERE name = ? AND file = ? ORDER BY slot",
        (file.name, file.number),
    )
    for slot, count, crc in ranges:
        if slot != end:
            yield f"{file.path}: rows {end} to {slot} belong to no commit"
        end = slot + count
        if _crc(file, slot, count) != crc:
            yield f"{file.path}: rows {slot} to {end} do not match their checksum"
    if end != slots:
        yield f"{file.path}: {slots} rows were committed, {end} have a checksum"


def _crc(file: RawFile, slot: int, count: int) -> int:
    crc, left = 0, count * file.row_bytes
    with file.path.open("rb") as handle:
        handle.seek(file.offset(slot))
        while left and (data := handle.read(min(left, _CHUNK))):
            crc, left = zlib.crc32(data, crc), left - len(data)
    return crc
