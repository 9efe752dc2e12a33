"""Connections to a collection's SQLite file, and the one place where its errors are translated."""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from indexer.errors import CollectionDamaged, StorageError

FILE = "collection.db"
_BUSY_MS = 10_000
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours; `doing` completes "could not ..."."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = CollectionDamaged if code in _DAMAGE else StorageError
        raise kind(f"could not {doing}: {error}") from error
    except OSError as error:
        raise StorageError(f"could not {doing}: {error.strerror or error}") from error


def connect_writer(folder: Path) -> sqlite3.Connection:
    """A connection that commits durably and never checkpoints by itself.

    Open, use and close it under the commit lock: closing the last connection checkpoints, and
    SQLite before 3.51.3 may lose a commit that overlaps with a checkpoint.
    """
    connection = _connect(folder / FILE, "rwc")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    if sys.platform == "darwin":
        connection.execute("PRAGMA fullfsync = 1")
        connection.execute("PRAGMA checkpoint_fullfsync = 1")
    return connection


class Readers:
    """A pool of read-only connections to one database, for any thread of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / f"{FILE}-wal"
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._fixed: set[sqlite3.Connection] = set()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction, ours until the block ends."""
        connection = self._take()
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.rollback()
            self._give(connection)

    def _take(self) -> sqlite3.Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._open()
            # A fixed connection reads the file as it was; once there is a log, somebody writes.
            if connection not in self._fixed or not self._log.exists():
                return connection
            self._drop(connection)

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self._folder / FILE, "ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            connection.close()
            if self._log.exists():
                raise
            # In a folder we may not write to, SQLite can read only what nobody else writes.
            connection = _connect(self._folder / FILE, "ro", "&immutable=1")
            self._fixed.add(connection)
        return connection

    def _give(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        self._drop(connection)

    def _drop(self, connection: sqlite3.Connection) -> None:
        self._fixed.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close what is idle now and the rest as it is given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            self._drop(connection)


def _connect(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}{more}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_MS / 1000,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection
