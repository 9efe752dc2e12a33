"""The tables of a collection, as numbered migrations; docs/index.md explains each column."""

import json
import sqlite3
from uuid import UUID

from indexer import payload
from indexer.base import Schema
from indexer.checks import check_schema
from indexer.errors import CollectionDamaged, InvalidName, NewerFormat
from indexer.ledger_sql import ADDED, create_ledger, extend_ledger
from indexer.words import words_of

MIGRATIONS = (
    """
    CREATE TABLE collection (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        uid BLOB NOT NULL,
        vectors TEXT NOT NULL,
        encoder TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        file_bytes INTEGER NOT NULL,
        version INTEGER NOT NULL,
        layout INTEGER NOT NULL
    );
    CREATE TABLE point (
        rowid INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL,
        asset TEXT NOT NULL,
        born INTEGER,
        died INTEGER,
        payload TEXT NOT NULL
    );
    CREATE UNIQUE INDEX point_live ON point (id) WHERE died IS NULL AND born IS NOT NULL;
    CREATE UNIQUE INDEX point_unpublished ON point (id) WHERE died IS NULL AND born IS NULL;
    CREATE INDEX point_asset ON point (asset) WHERE died IS NULL;
    CREATE INDEX point_died ON point (died) WHERE died IS NOT NULL;
    CREATE TABLE kv (
        key TEXT NOT NULL,
        type TEXT NOT NULL,
        value NOT NULL,
        point INTEGER NOT NULL,
        PRIMARY KEY (key, type, value, point)
    ) WITHOUT ROWID;
    CREATE TABLE raw_file (
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        slots INTEGER NOT NULL,
        PRIMARY KEY (name, number)
    ) WITHOUT ROWID;
    CREATE TABLE raw_range (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        file INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        count INTEGER NOT NULL,
        crc32 INTEGER NOT NULL,
        points BLOB NOT NULL
    );
    """
    + create_ledger("ledger"),
    # Places, which filters did not know before.
    """
    INSERT INTO kv
    SELECT json_extract(place.value, '$[0]'), 'g', json_extract(place.value, '$[1]'), point.rowid
    FROM point, json_each(places(payload)) AS place WHERE died IS NULL AND born IS NOT NULL;
    """,
    # Where assets were found, what that said of them, and how long they took.
    extend_ledger("ledger", ADDED[:3]),
    # Sealed segments.
    """
    CREATE TABLE segment (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        factory TEXT NOT NULL,
        calibration TEXT NOT NULL,
        file TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        rows INTEGER NOT NULL,
        version INTEGER NOT NULL
    );
    """,
    # Words of texts and captions. They are cut in `indexer.words`: the tokenizer sees only spaces.
    """
    CREATE VIRTUAL TABLE words USING fts5(held, size UNINDEXED, tokenize = 'ascii');
    INSERT INTO words (rowid, held, size)
    SELECT point.rowid, json_extract(found, '$[0]'), json_extract(found, '$[1]')
    FROM (SELECT rowid, words(payload) AS found FROM point
          WHERE died IS NULL AND born IS NOT NULL) AS point
    WHERE found IS NOT NULL;
    """,
    # Calibrations say how near lists must be, not how many they are: segments are built again.
    """
    DELETE FROM segment;
    """,
    # Calibrations say how many lists there are to look at, at most.
    """
    DELETE FROM segment;
    """,
)
"""Append-only: a collection that was made by migration n is brought up by those after it."""


def format_version(connection: sqlite3.Connection, name: str) -> int:
    """How many migrations the collection has seen; raises `NewerFormat` above what we know."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise NewerFormat(
            f"collection {name!r} has storage format {version}; this version of polylens reads up "
            f"to {len(MIGRATIONS)}. Upgrade polylens, or restore a snapshot made by this version."
        )
    return version


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Apply the migrations after `version`, each in a transaction of its own."""
    connection.create_function("places", 1, _places)
    connection.create_function("words", 1, _words)
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
        )


def _places(text: str) -> str:
    """The key and value of each place in a payload, as JSON."""
    found = payload.entries(payload.decode(text))
    return json.dumps([(key, value) for key, kind, value in found if kind == "g"])


def _words(text: str) -> str | None:
    """The words of a payload and their number, as JSON; None without any."""
    found = words_of(payload.decode(text))
    return json.dumps([" ".join(found.held), found.size]) if found else None


def write_schema(
    connection: sqlite3.Connection, uid: UUID, schema: Schema, file_bytes: int
) -> None:
    connection.execute(
        "INSERT INTO collection VALUES (1, ?, ?, ?, ?, ?, 0, 0)",
        (uid.bytes, *described(schema), file_bytes),
    )


def described(schema: Schema) -> tuple[str, str, str]:
    """What the columns vectors, encoder and fingerprint hold."""
    return json.dumps(dict(schema.vectors)), schema.encoder, json.dumps(dict(schema.fingerprint))


def read_schema(connection: sqlite3.Connection) -> tuple[UUID, Schema, int]:
    """The collection's own id, what it is made for, and how many bytes a raw file may have."""
    row = connection.execute(
        "SELECT uid, vectors, encoder, fingerprint, file_bytes FROM collection"
    ).fetchone()
    if row is None:
        raise CollectionDamaged("the database of the collection lacks its description")
    uid, vectors, encoder, fingerprint, file_bytes = row
    try:
        schema = Schema(dict(json.loads(vectors)), encoder, dict(json.loads(fingerprint)))
        check_schema(schema)
        return UUID(bytes=uid), schema, file_bytes
    except (ValueError, TypeError, InvalidName) as error:
        raise CollectionDamaged(f"the collection's description is damaged: {error}") from error


def read_layout(connection: sqlite3.Connection) -> int:
    """A number that changes when vectors are moved, so that nothing remembered of them holds."""
    row = connection.execute("SELECT layout FROM collection").fetchone()
    if row is None:
        raise CollectionDamaged("the database of the collection lacks its description")
    return int(row[0])
