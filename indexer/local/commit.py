"""Commits: one at a time per collection across processes, durable when they return."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import numpy as np

from indexer.errors import IndexerError, StorageError
from indexer.local.database import connect_writer, translated
from indexer.local.lock import CommitLock
from indexer.local.rawfile import HEADER_BYTES, RawFile
from indexer.local.reclaim import Floats, live_rows, sweep
from indexer.local.transaction import Transaction
from indexer.local.view import Ints

_GROUP = 256
"""Most operations that share a commit."""
_CHECKPOINT_CHANGES = 4000
"""Rows written between two checkpoints; a few megabytes of log."""
_FREE_SHARE = 0.2
"""Of the database, above which it is worth writing anew."""

T = TypeVar("T")
Operation = Callable[[Transaction], T]


class _Ticket(Generic[T]):
    """An operation that waits for its commit, then its outcome."""

    def __init__(self, operation: Operation[T]) -> None:
        self.operation = operation
        self.done = False
        self.error: BaseException | None = None
        self.result: T | None = None

    def apply(self, transaction: Transaction) -> None:
        """Run the operation; an error of its own fails it alone, one of the disk everything."""
        try:
            self.result = transaction.attempt(self.operation)
        except (sqlite3.Error, UnicodeDecodeError):  # the second of a damaged schema
            raise
        except Exception as error:  # noqa: BLE001 - handed to the thread that asked
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        if not self.done:
            self.error, self.done = error, True

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


class Committer:
    """Runs operations on one collection, those of concurrent threads together.

    `dims` maps vector name -> dimension, `file_bytes` is the greatest size of a raw file.
    """

    def __init__(
        self, folder: Path, uid: UUID, dims: Mapping[str, int], file_bytes: int, lock: CommitLock
    ) -> None:
        self._folder = folder
        self._uid = uid
        self._dims = dims
        self._file_bytes = file_bytes
        self._lock = lock
        self._queue: list[_Ticket[Any]] = []
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._failed: set[tuple[str, int]] = set()
        self._unsaved = 0

    def run(self, operation: Operation[T]) -> T:
        """The operation's result, once it is committed; if it raises, nothing of it was."""
        ticket = _Ticket(operation)
        with self._queue_lock:
            self._queue.append(ticket)
        # Whoever gets the turn commits for all who wait; most find theirs done when they get it.
        with self._turn:
            while not ticket.done:
                with self._queue_lock:
                    group, self._queue = self._queue[:_GROUP], self._queue[_GROUP:]
                self._commit(group)
        return ticket.outcome()

    def run_alone(self, operation: Operation[T]) -> T:
        """As `run`, in a commit of its own, so that its failure is nobody else's."""
        ticket = _Ticket(operation)
        with self._turn:
            self._commit([ticket])
        return ticket.outcome()

    def shrink(self) -> None:
        """Give the disk what the database has no more use for, and empty its log."""
        with self._turn, translated("shrink the database"), self._lock.held():
            connection = self._connected()
            free, pages = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count")
            )
            if free > _FREE_SHARE * pages:
                connection.execute("VACUUM")
            # A reader at work keeps the log from being emptied; no writer shall wait for that.
            connection.execute("PRAGMA busy_timeout = 0")
            self._checkpoint(connection, "TRUNCATE")
            self._disconnect()

    def close(self) -> None:
        """Checkpoint and close the connection; the next operation opens another."""
        with self._turn:
            if self._connection is None:
                return
            try:
                with self._lock.held():
                    self._checkpoint(self._connection)
                    self._disconnect()
            except IndexerError:
                # Busy or dropped: the log keeps what a checkpoint would have copied.
                self._disconnect()

    def rest(self) -> None:
        """Wait for the commit in progress, close the connection, begin none until `resume`."""
        self._turn.acquire()
        # Without the commit lock, whose holder may be slow: when this is the last connection of any
        # process, closing it checkpoints, but then there is nobody whose commit could be harmed.
        self._disconnect()

    def resume(self) -> None:
        self._turn.release()

    def _commit(self, group: Sequence[_Ticket[Any]]) -> None:
        try:
            with translated("commit"), self._lock.held():
                self._commit_locked(group)
        except Exception as error:  # noqa: BLE001 - handed to the threads that asked
            for ticket in group:
                ticket.fail(_copy(error))
        except BaseException:
            for ticket in group:
                ticket.fail(
                    StorageError("the write was interrupted; it may or may not have happened")
                )
            raise
        for ticket in group:
            ticket.done = True

    def _commit_locked(self, group: Sequence[_Ticket[Any]]) -> None:
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection)
            self._dims = transaction.schema.vectors
            for ticket in group:
                ticket.apply(transaction)
            self._finish(transaction)
        except BaseException:
            self._disconnect()
            raise
        self._failed -= transaction.touched
        for name, number in transaction.retired:
            with contextlib.suppress(OSError):  # what is left over is swept later
                self._file(name, number).path.unlink()
        self._unsaved += transaction.changes + 10
        if self._unsaved > _CHECKPOINT_CHANGES:
            self._checkpoint(connection)

    def _finish(self, transaction: Transaction) -> None:
        connection = transaction.connection
        if not transaction.changes:
            connection.execute("ROLLBACK")
            return
        for name, number in transaction.retired:
            self._move(transaction, name, number)
        for name, pending in transaction.pending.items():
            if pending.points:
                points, vectors = np.concatenate(pending.points), np.concatenate(pending.vectors)
                self._append(transaction, name, points, vectors)
        connection.execute("UPDATE collection SET version = ?", (transaction.version,))
        connection.execute("COMMIT")

    def _move(self, transaction: Transaction, name: str, number: int) -> None:
        """Append the live vectors of a file elsewhere, and take the file out of the records."""
        connection = transaction.connection
        # A number is never used again, or a reader could see one file turn into another.
        connection.execute(
            "INSERT INTO raw_file SELECT name, max(number) + 1, 0 FROM raw_file WHERE name = ? "
            "GROUP BY name HAVING max(number) = ?",
            (name, number),
        )
        for points, vectors in live_rows(connection, self._file(name, number)):
            self._append(transaction, name, points, vectors)
        for table, column in (("raw_range", "file"), ("raw_file", "number")):
            connection.execute(
                f"DELETE FROM {table} WHERE name = ? AND {column} = ?",  # noqa: S608
                (name, number),
            )
        connection.execute("UPDATE collection SET layout = layout + 1")

    def _append(self, transaction: Transaction, name: str, points: Ints, vectors: Floats) -> None:
        connection = transaction.connection
        while len(points):
            file, slots = self._last_file(connection, name)
            room = (self._file_bytes - HEADER_BYTES) // file.row_bytes - slots
            head, points = points[:room], points[room:]
            rows, vectors = vectors[:room], vectors[room:]
            if slots:
                file.check(slots)
            # If anything goes wrong from here on, what the file holds beyond its committed length
            # is unknown, and so is what a later sync of it would promise.
            self._failed.add((name, file.number))
            transaction.touched.add((name, file.number))
            crc = file.append(slots, rows, new=slots == 0)
            connection.execute(
                "INSERT OR REPLACE INTO raw_file VALUES (?, ?, ?)",
                (name, file.number, slots + len(head)),
            )
            connection.execute(
                "INSERT INTO raw_range (name, file, slot, count, crc32, points) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (name, file.number, slots, len(head), crc, head.astype("<i8").tobytes()),
            )

    def _last_file(self, connection: sqlite3.Connection, name: str) -> tuple[RawFile, int]:
        """The file that takes the next vector, and how many it has."""
        row = connection.execute(
            "SELECT number, slots FROM raw_file WHERE name = ? ORDER BY number DESC", (name,)
        ).fetchone()
        number, slots = row or (0, 0)
        file = self._file(name, number)
        if (name, number) in self._failed or file.offset(slots + 1) > self._file_bytes:
            number, slots = number + 1, 0
            while (name, number) in self._failed:
                number += 1
            file = self._file(name, number)
        return file, slots

    def _file(self, name: str, number: int) -> RawFile:
        return RawFile(self._folder, self._uid, name, self._dims[name], number)

    def _connected(self) -> sqlite3.Connection:
        """The connection; with a new one goes what an interrupted compaction left."""
        if self._connection is None:
            self._connection = connect_writer(self._folder)
            sweep(self._connection, self._folder)
        return self._connection

    def _checkpoint(self, connection: sqlite3.Connection, mode: str = "PASSIVE") -> None:
        """Copy the log into the database; that it fails harms nothing, and the next one retries."""
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            self._unsaved = 0
        except (sqlite3.Error, UnicodeDecodeError):
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _copy(error: Exception) -> Exception:
    """One error for each thread, so that their tracebacks do not mix."""
    return type(error)(str(error)) if isinstance(error, IndexerError) else error
