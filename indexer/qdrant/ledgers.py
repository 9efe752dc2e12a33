"""The ledgers of Qdrant collections: a table for each, in the installation's own database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from uuid import UUID

from indexer.installation import open_installation
from indexer.ledger import LedgerRow
from indexer.ledger_sql import ADDED, Execute, SqlLedger, create_ledger, extend_ledger


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

        def write(change: Callable[[Execute], None]) -> None:
            with read() as connection, connection:
                change(connection.executemany)

        return SqlLedger(write, read, table)

    def drop(self, collection: UUID) -> None:
        with open_installation(self._folder) as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{_table(collection)}"')


def _table(collection: UUID) -> str:
    return f"ledger_{collection.hex}"


def _ensure(connection: sqlite3.Connection, table: str) -> None:
    """Make the table, or add the columns it lacks."""
    lacking = _lacking(connection, table)
    if not lacking:
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {lacking} COMMIT")
    except sqlite3.OperationalError:
        # Another process did it in the meantime, or there is something wrong with the file.
        connection.rollback()
        if _lacking(connection, table):
            raise


def _lacking(connection: sqlite3.Connection, table: str) -> str:
    """The statements that bring the table up to date."""
    sql = "SELECT count(*) FROM pragma_table_info(?)"
    columns = connection.execute(sql, (table,)).fetchone()[0]
    if not columns:
        return create_ledger(table) + extend_ledger(table, ADDED)
    lacking = len(fields(LedgerRow)) - columns
    return extend_ledger(table, ADDED[len(ADDED) - lacking :])
