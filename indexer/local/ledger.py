"""The ledger of a local collection, in the same database as its points."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, fields, replace
from sqlite3 import Connection
from typing import TYPE_CHECKING

from indexer.errors import InvalidPoint
from indexer.ledger import LedgerRow, Status
from indexer.local.points import check_asset
from indexer.local.transaction import Transaction, select_in

if TYPE_CHECKING:
    from indexer.local.commit import Operation

_COLUMNS = ", ".join(field.name for field in fields(LedgerRow))
_MARKS = ", ".join("?" for _ in fields(LedgerRow))
_STATUSES: tuple[Status, ...] = ("done", "skipped", "failed")
_PAGE = 1000


def record(transaction: Transaction, rows: Sequence[LedgerRow]) -> None:
    """Insert or overwrite rows as part of a commit."""
    now = time.time()
    transaction.execute(
        f"INSERT OR REPLACE INTO ledger ({_COLUMNS}) VALUES ({_MARKS})",  # noqa: S608 - our names
        [astuple(row if row.updated else replace(row, updated=now)) for row in rows],
    )


def check_rows(rows: Sequence[LedgerRow]) -> None:
    """Raises `InvalidPoint` for a row that cannot be stored."""
    for row in rows:
        check_asset(row.asset)
        if row.status not in _STATUSES:
            raise InvalidPoint(f"ledger row of {row.asset!r}: there is no status {row.status!r}")
        try:
            f"{row.reason}{row.content_hash}{row.fingerprint}".encode()
        except UnicodeEncodeError:
            raise InvalidPoint(f"ledger row of {row.asset!r}: text is not valid Unicode") from None


class LocalLedger:
    """Satisfies `indexer.ledger.Ledger`. `commit` runs an operation, `read` lends a connection."""

    def __init__(
        self,
        commit: "Callable[[Operation[None]], None]",
        read: Callable[[], AbstractContextManager[Connection]],
    ) -> None:
        self._commit = commit
        self._read = read

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Insert or overwrite rows, durably, without touching any point."""
        check_rows(rows)
        self._commit(lambda transaction: record(transaction, rows))

    def get(self, assets: Sequence[str]) -> dict[str, LedgerRow]:
        """The rows of these assets, those unknown left out."""
        select = f"{_COLUMNS} FROM ledger WHERE asset IN"
        with self._read() as connection:
            found = [LedgerRow(*row) for row in select_in(connection, select, assets)]
        return {row.asset: row for row in found}

    def by_hash(self, content_hashes: Sequence[str]) -> dict[str, LedgerRow]:
        """For each content hash, one done asset that has it: the first in URI order."""
        select = f"{_COLUMNS} FROM ledger WHERE status = 'done' AND content_hash IN"
        with self._read() as connection:
            found = [LedgerRow(*row) for row in select_in(connection, select, content_hashes)]
        return {row.content_hash: row for row in sorted(found, key=_asset, reverse=True)}

    def rows(self, status: Status | None = None) -> Iterator[LedgerRow]:
        """All rows, or those of one status, in URI order; read in pages, not as one snapshot."""
        condition = "asset > ?" + (" AND status = ?" if status else "")
        sql = f"SELECT {_COLUMNS} FROM ledger WHERE {condition} ORDER BY asset LIMIT {_PAGE}"  # noqa: S608
        page = [""]
        while page:
            with self._read() as connection:
                parameters = (page[-1], status) if status else (page[-1],)
                found = [LedgerRow(*row) for row in connection.execute(sql, parameters)]
            yield from found
            page = [row.asset for row in found]

    def counts(self) -> dict[Status, int]:
        """How many assets stand in each status, those with none included."""
        with self._read() as connection:
            found = connection.execute("SELECT status, count(*) FROM ledger GROUP BY status")
            return dict.fromkeys(_STATUSES, 0) | dict(found.fetchall())


def _asset(row: LedgerRow) -> str:
    return row.asset
