"""Ledgers of Qdrant collections, in the installation's own database.

For each a ledger, and the points of unfinished assets.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from pathlib import Path
from uuid import UUID

from indexer.installation import open_installation
from indexer.ledger import LedgerRow
from indexer.ledger_sql import ADDED, Execute, SqlLedger, create_ledger, extend_ledger
from indexer.qdrant.staging import Staging, create_staging

Lacking = Callable[[sqlite3.Connection, str], str]
"""The statements that bring a table up to date, none where it is."""


class Ledgers:
    """Tables in `folder/polylens.db`, made when first needed; safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()  # the process that has a copy may be elsewhere

    def ledger(self, collection: UUID) -> SqlLedger:
        """That of a collection, by its uid."""
        table = _ledger(collection)
        read = self._opener(table, _lacking_ledger)

        def write(change: Callable[[Execute], None]) -> None:
            with read() as connection, connection:
                change(connection.executemany)

        return SqlLedger(write, read, table)

    def staging(self, collection: UUID) -> Staging:
        """What is staged for a collection, by its uid."""
        table = _staging(collection)
        return Staging(self._opener(table, _lacking_staging), table)

    def drop(self, collection: UUID) -> None:
        with open_installation(self._folder) as connection:
            for table in (_ledger(collection), _staging(collection)):
                connection.execute(f'DROP TABLE IF EXISTS "{table}"')

    def _opener(
        self, table: str, lacking: Lacking
    ) -> Callable[[], AbstractContextManager[sqlite3.Connection]]:
        """Lends a connection to a database that has the table."""

        @contextmanager
        def opened() -> Iterator[sqlite3.Connection]:
            with open_installation(self._folder) as connection:
                _ensure(connection, table, lacking)
                yield connection

        return opened


def _ledger(collection: UUID) -> str:
    return f"ledger_{collection.hex}"


def _staging(collection: UUID) -> str:
    return f"staged_{collection.hex}"


def _ensure(connection: sqlite3.Connection, table: str, lacking: Lacking) -> None:
    """Make the table, or add what it lacks."""
    script = lacking(connection, table)
    if not script:
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT")
    except sqlite3.OperationalError:
        # Another process did it in the meantime, or there is something wrong with the file.
        connection.rollback()
        if lacking(connection, table):
            raise


def _lacking_ledger(connection: sqlite3.Connection, table: str) -> str:
    columns = _columns(connection, table)
    if not columns:
        return create_ledger(table) + extend_ledger(table, ADDED)
    lacking = len(fields(LedgerRow)) - columns
    return extend_ledger(table, ADDED[len(ADDED) - lacking :])


def _lacking_staging(connection: sqlite3.Connection, table: str) -> str:
    return "" if _columns(connection, table) else create_staging(table)


def _columns(connection: sqlite3.Connection, table: str) -> int:
    """How many there are, 0 where there is no table."""
    sql = "SELECT count(*) FROM pragma_table_info(?)"
    count: int = connection.execute(sql, (table,)).fetchone()[0]
    return count
