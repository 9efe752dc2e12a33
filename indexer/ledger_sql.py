"""The ledger as a table of SQLite, whichever database it lies in."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from operator import attrgetter
from sqlite3 import Connection
from typing import Any

from indexer.checks import check_assets, check_hashes, check_status
from indexer.ledger import STATUSES, LedgerRow, Status
from indexer.points import check_rows
from indexer.sql import select_in

_COLUMNS = ", ".join(field.name for field in fields(LedgerRow))
_MARKS = ", ".join("?" for _ in fields(LedgerRow))
_PAGE = 1000
_values = attrgetter(*(field.name for field in fields(LedgerRow)))

ADDED = ("source TEXT NOT NULL DEFAULT ''", "metadata TEXT NOT NULL DEFAULT ''",
         "seconds REAL NOT NULL DEFAULT 0")  # fmt: skip
"""Columns that the first ledgers lack, in the order they came. Append only."""

Execute = Callable[[str, Sequence[Sequence[object]]], object]
"""Runs a statement once for each row of parameters."""


def create_ledger(table: str) -> str:
    """The statements that make the table. Databases have been made by them: they never change."""
    return f"""
    CREATE TABLE "{table}" (
        asset TEXT PRIMARY KEY,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content_hash TEXT NOT NULL,
        points INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        updated REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX "{table}_status" ON "{table}" (status, asset);
    CREATE INDEX "{table}_hash" ON "{table}" (content_hash) WHERE status = 'done';
    """


def extend_ledger(table: str, columns: Sequence[str]) -> str:
    """The statements that add some of `ADDED`, in their order."""
    return "".join(f'ALTER TABLE "{table}" ADD COLUMN {column};' for column in columns)


def record(execute: Execute, rows: Sequence[LedgerRow], table: str = "ledger") -> None:
    """Insert or overwrite rows as part of a transaction."""
    now = time.time()
    execute(
        f'INSERT OR REPLACE INTO "{table}" ({_COLUMNS}) VALUES ({_MARKS})',  # noqa: S608 - our names
        [_values(row if row.updated else replace(row, updated=now)) for row in rows],
    )


class SqlLedger:
    """Satisfies `indexer.ledger.Ledger`.

    `write` commits what it is given to do; `read` lends a connection; `table` is a name of ours.
    """

    def __init__(
        self,
        write: Callable[[Callable[[Execute], None]], None],
        read: Callable[[], AbstractContextManager[Connection]],
        table: str = "ledger",
    ) -> None:
        self._write = write
        self._read = read
        self._select = f'{_COLUMNS} FROM "{table}" WHERE'
        self._table = table
        self._count = f'SELECT status, count(*) FROM "{table}" GROUP BY status'  # noqa: S608
        self._sum = f'SELECT coalesce(sum(points), 0) FROM "{table}"'  # noqa: S608
        self._delete = f'DELETE FROM "{table}" WHERE asset = ?'  # noqa: S608

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Insert or overwrite rows, durably, without touching any point."""
        check_rows(rows)
        self._write(lambda execute: record(execute, rows, self._table))

    def remove(self, assets: Sequence[str]) -> None:
        """Forget the rows of these assets, durably, without touching any point."""

        def delete(execute: Execute) -> None:
            execute(self._delete, [(asset,) for asset in assets])

        check_assets(assets)
        if assets:
            self._write(delete)

    def get(self, assets: Sequence[str]) -> dict[str, LedgerRow]:
        """The rows of these assets, those unknown left out."""
        check_assets(assets)
        with self._read() as connection:
            found = select_in(connection, f"{self._select} asset IN", assets)
            return {row.asset: row for row in (LedgerRow(*one) for one in found)}

    def by_hash(self, content_hashes: Sequence[str]) -> dict[str, LedgerRow]:
        """For each content hash, one done asset that has it: the first in URI order."""
        check_hashes(content_hashes)
        # One lookup each, in the index: as many files as there are may share a content.
        sql = f"SELECT {self._select} status = 'done' AND content_hash = ? ORDER BY asset LIMIT 1"
        with self._read() as connection:
            found = [connection.execute(sql, (one,)).fetchone() for one in set(content_hashes)]
        return {row.content_hash: row for row in (LedgerRow(*one) for one in found if one)}

    def rows(self, status: Status | None = None, after: str = "") -> Iterator[LedgerRow]:
        """All rows, or those of one status, in URI order, behind the asset `after`.

        Read in pages, not as one snapshot.
        """
        check_status(status)
        check_assets([after])
        return (LedgerRow(*row) for row in self._paged(_COLUMNS, status, after))

    def sources(self) -> Iterator[tuple[str, str]]:
        """Asset and source of every row, in URI order; read in pages, as `rows`."""
        return ((asset, source) for asset, source in self._paged("asset, source"))

    def counts(self) -> dict[Status, int]:
        """How many assets stand in each status, those with none included."""
        with self._read() as connection:
            found = connection.execute(self._count)
            return dict.fromkeys(STATUSES, 0) | dict(found.fetchall())

    def points(self) -> int:
        """How many points all assets have, as far as the rows tell."""
        with self._read() as connection:
            found: tuple[int] = connection.execute(self._sum).fetchone()
            return found[0]

    def _paged(
        self, columns: str, status: Status | None = None, after: str = ""
    ) -> Iterator[tuple[Any, ...]]:
        """These columns, the asset first, of all rows or those of one status."""
        condition = "asset > ?" + (" AND status = ?" if status else "")
        sql = (
            f'SELECT {columns} FROM "{self._table}" WHERE {condition} ORDER BY asset LIMIT {_PAGE}'  # noqa: S608
        )
        last = after
        while True:
            with self._read() as connection:
                page = connection.execute(sql, (last, status) if status else (last,)).fetchall()
            if not page:
                return
            yield from page
            last = page[-1][0]
