"""The ledgers of Qdrant collections: a table for each, in the installation's own database."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from indexer.installation import open_installation
from indexer.ledger import LedgerRow
from indexer.ledger_sql import SqlLedger, create_ledger, record


class Ledgers:
    """Tables in `folder/polylens.db`, made when first needed; safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ledger(self, collection: UUID) -> SqlLedger:
        """That of a collection, by its uid."""
        table = _table(collection)

        @contextmanager
        def read() -> Iterator[sqlite3.Connection]:
            with open_installation(self._folder) as connection:
                _ensure(connection, table)
                yield connection

        def write(rows: Sequence[LedgerRow]) -> None:
            with read() as connection, connection:
                record(connection.executemany, rows, table)

        return SqlLedger(write, read, table)

    def drop(self, collection: UUID) -> None:
        with open_installation(self._folder) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{_table(collection)}"')


def _table(collection: UUID) -> str:
    return f"ledger_{collection.hex}"


def _ensure(connection: sqlite3.Connection, table: str) -> None:
    known = "SELECT 1 FROM sqlite_schema WHERE name = ?"
    if connection.execute(known, (table,)).fetchone():
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {create_ledger(table)} COMMIT")
    except sqlite3.OperationalError:
        # Another process made it in the meantime, or there is something wrong with the file.
        connection.rollback()
        if not connection.execute(known, (table,)).fetchone():
            raise
