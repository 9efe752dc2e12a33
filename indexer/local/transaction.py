"""What one commit changes: rows first, then the raw vectors they need, then their lengths."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import payload as payloads
from indexer.base import Schema
from indexer.local.schema import described, read_schema
from indexer.points import Prepared, missing_vectors
from indexer.sql import select_in
from indexer.words import Words, words_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
T = TypeVar("T")


@dataclass
class Pending:
    """Vectors of one name that wait to be appended, and the rows they belong to."""

    points: list[Ints] = field(default_factory=list)
    vectors: list[Floats] = field(default_factory=list)


class Transaction:
    """An open SQLite transaction under the commit lock, numbered `version`.

    `schema` is the collection's as it stands in it.

    `pending` maps vector name -> what is to be appended before the transaction commits; `touched`
    names the raw files (vector name, number) it was appended to; `retired` those whose live vectors
    are to be appended elsewhere, and which then go. `changes` counts rows written.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.pending: dict[str, Pending] = {}
        self.touched: set[tuple[str, int]] = set()
        self.retired: list[tuple[str, int]] = []
        self.changes = 0
        row = connection.execute("SELECT version FROM collection").fetchone()
        self.version: int = row[0] + 1
        self.schema = read_schema(connection)[1]
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'point'").fetchone()
        self._last_row: int = row[0] if row else 0

    def attempt(self, operation: Callable[["Transaction"], T]) -> T:
        """Run an operation; if it raises, nothing of it stays in the transaction."""
        before, retired = (self._last_row, self.changes), len(self.retired)
        lengths = {name: len(pending.points) for name, pending in self.pending.items()}
        self.connection.execute("SAVEPOINT operation")
        try:
            result = operation(self)
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO operation")
            self._last_row, self.changes = before
            del self.retired[retired:]
            for name, pending in self.pending.items():
                del pending.points[lengths.get(name, 0) :]
                del pending.vectors[lengths.get(name, 0) :]
            raise
        finally:
            if self.connection.in_transaction:
                self.connection.execute("RELEASE operation")
        return result

    def execute(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self.connection.executemany(sql, rows)
        self.changes += len(rows)

    def upsert(self, batch: Prepared) -> None:
        """Store points; live ones of the same ids die."""
        self.kill(self.live(batch.ids))
        rows = self._insert(batch, self.version)
        self._index(zip(rows, batch.entries, strict=True))
        self._index_words(zip(rows, batch.words, strict=True))

    def stage(self, batch: Prepared) -> None:
        """Store points unpublished; unpublished ones of the same ids die."""
        self.kill([*self.unpublished(batch.ids).values()])
        self._insert(batch, None)

    def publish(self, batch: Prepared, rows: Mapping[bytes, int]) -> None:
        """Make unpublished points visible, `rows` by id, with the assets and payloads given.

        Live ones of the same ids die. Raises `InvalidPoint` for a point that is not there.
        """
        for point in batch.ids:
            if point not in rows:
                raise missing_vectors(UUID(bytes=point))
        self.kill(self.live(batch.ids))
        chosen = [rows[point] for point in batch.ids]
        versions = [self.version] * len(chosen)
        self.execute(
            "UPDATE point SET born = ?, asset = ?, payload = ? WHERE rowid = ?",
            [*zip(versions, batch.assets, batch.texts, chosen, strict=True)],
        )
        self._index(zip(chosen, batch.entries, strict=True))
        self._index_words(zip(chosen, batch.words, strict=True))

    def unpublished(self, ids: Iterable[bytes]) -> dict[bytes, int]:
        """The rows of the points of these ids that are staged, by id."""
        where = "died IS NULL AND born IS NULL AND id IN"
        return dict(select_in(self.connection, f"id, rowid FROM point WHERE {where}", ids))

    def append(self, name: str, rows: Ints, vectors: Floats) -> None:
        """Give live rows, int64 `[m]`, the vector of a name that they lack, float32 `[m, dim]`."""
        pending = self.pending.setdefault(name, Pending())
        pending.points.append(rows)
        pending.vectors.append(vectors)
        self.changes += len(rows)

    def describe(self, schema: Schema) -> None:
        """Make the collection's description this one; vectors may be added to it."""
        self.schema = schema
        self.connection.execute(
            "UPDATE collection SET vectors = ?, encoder = ?, fingerprint = ?, layout = layout + 1",
            described(schema),
        )
        self.changes += 1

    def live(self, ids: Iterable[bytes]) -> list[int]:
        """The rows of the points of these ids that exist, in no order."""
        where = "died IS NULL AND born IS NOT NULL AND id IN"
        return [
            row for (row,) in select_in(self.connection, f"rowid FROM point WHERE {where}", ids)
        ]

    def of_assets(self, assets: Iterable[str]) -> list[int]:
        """The rows of all points of these assets, published or not."""
        where = "died IS NULL AND asset IN"
        found = select_in(self.connection, f"rowid FROM point WHERE {where}", assets)
        return [row for (row,) in found]

    def texts(self, rows: Iterable[int]) -> list[tuple[int, str]]:
        """Row and payload text of each."""
        return list(select_in(self.connection, "rowid, payload FROM point WHERE rowid IN", rows))

    def kill(self, rows: Sequence[int]) -> None:
        """Remove rows from what is visible and from the index of payloads."""
        found = [(row, payloads.decode(text)) for row, text in self.texts(rows)]
        self._forget((row, payloads.entries(payload)) for row, payload in found)
        self._forget_words(row for row, payload in found if words_of(payload))
        self.execute("UPDATE point SET died = ? WHERE rowid = ?", [(self.version, r) for r in rows])

    def retire(self, name: str, number: int) -> None:
        """Have the live vectors of a raw file appended elsewhere, and the file removed."""
        self.retired.append((name, number))
        self.changes += 1

    def purge(self, version: int, most: int) -> int:
        """Forget up to `most` rows that died by `version`, when no raw file has them any more."""
        self.connection.execute(
            "DELETE FROM point WHERE rowid IN "
            "(SELECT rowid FROM point WHERE died IS NOT NULL AND died <= ? LIMIT ?)",
            (version, most),
        )
        row: tuple[int] = self.connection.execute("SELECT changes()").fetchone()
        self.changes += row[0]
        return row[0]

    def rewrite_payload(self, row: int, old: str, new: str) -> None:
        """Change the payload of a live row from one text to another."""
        olds, news = payloads.decode(old), payloads.decode(new)
        before, after = payloads.entries(olds), payloads.entries(news)
        self._forget([(row, before - after)])
        self._index([(row, after - before)])
        if words_of(olds) != words_of(news):
            self._forget_words([row])
            self._index_words([(row, words_of(news))])
        self.execute("UPDATE point SET payload = ? WHERE rowid = ?", [(new, row)])

    def _insert(self, batch: Prepared, born: int | None) -> range:
        """The rows that the points now have."""
        first = self._last_row + 1
        self._last_row += len(batch.ids)
        rows = range(first, first + len(batch.ids))
        columns = zip(rows, batch.ids, batch.assets, batch.texts, strict=True)
        self.execute(
            "INSERT INTO point (rowid, id, asset, payload, born) VALUES (?, ?, ?, ?, ?)",
            [(*row, born) for row in columns],
        )
        for name, (positions, vectors) in batch.vectors.items():
            self.append(name, positions + first, vectors)
        return rows

    def _index(self, entries: Iterable[tuple[int, set[payloads.Entry]]]) -> None:
        self.execute(
            "INSERT INTO kv VALUES (?, ?, ?, ?)",
            [(*entry, row) for row, found in entries for entry in found],
        )

    def _forget(self, entries: Iterable[tuple[int, set[payloads.Entry]]]) -> None:
        self.execute(
            "DELETE FROM kv WHERE key = ? AND type = ? AND value = ? AND point = ?",
            [(*entry, row) for row, found in entries for entry in found],
        )

    def _index_words(self, found: Iterable[tuple[int, Words]]) -> None:
        self.execute(
            "INSERT INTO words (rowid, held, size) VALUES (?, ?, ?)",
            [(row, " ".join(words.held), words.size) for row, words in found if words],
        )

    def _forget_words(self, rows: Iterable[int]) -> None:
        self.execute("DELETE FROM words WHERE rowid = ?", [(row,) for row in rows])
