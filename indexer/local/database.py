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
# What SQLite says of a file system that is read-only, and of a folder that is so for this user.
_NO_ROOM_FOR_A_LOG = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours; `doing` completes "could not ..."."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = CollectionDamaged if code in _DAMAGE else StorageError
        hint = ": this user may not write there" if code == sqlite3.SQLITE_READONLY else ""
        raise kind(f"could not {doing}: {error}{hint}") from error
    except UnicodeDecodeError as error:
        # SQLite quotes what it cannot read.
        raise CollectionDamaged(f"could not {doing}: the database is damaged") from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise StorageError(f"could not {doing}: {error.strerror or error}{where}") from error


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
        self._changed = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._lent = 0
        self._resting = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction, ours until the block ends; do not nest these."""
        with self._changed:
            self._changed.wait_for(lambda: not self._resting)
            self._lent += 1
            connection = self._idle.pop() if self._idle else None
        reusable = connection is not None
        try:
            if connection is None:
                connection, reusable = self._open()
            yield connection
        finally:
            try:
                if connection is not None:
                    self._end(connection, reusable=reusable)
            finally:
                with self._changed:
                    self._lent -= 1
                    self._changed.notify_all()

    def rest(self) -> None:
        """Wait until no connection is lent, close them all and lend none until `resume`."""
        with self._changed:
            self._resting = True
            self._changed.wait_for(lambda: not self._lent)
            while self._idle:
                self._idle.pop().close()

    def resume(self) -> None:
        with self._changed:
            self._resting = False
            self._changed.notify_all()

    def close(self) -> None:
        """As `rest`; those who ask for connections later get new ones."""
        self.rest()
        self.resume()

    def _end(self, connection: sqlite3.Connection, *, reusable: bool) -> None:
        if connection.in_transaction:
            connection.rollback()
        if reusable:
            with self._changed:
                self._idle.append(connection)
        else:
            connection.close()

    def _open(self) -> tuple[sqlite3.Connection, bool]:
        """A connection, and whether it may be used again."""
        connection = _connect(self._folder / FILE, "ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            connection.close()
            code = getattr(error, "sqlite_errorcode", 0)
            if code in _NO_ROOM_FOR_A_LOG and not (self._folder / f"{FILE}-wal").exists():
                # In a folder we may not write to, SQLite reads a closed database if told that it
                # does not change; somebody may open it, so the promise is for one use only.
                return _connect(self._folder / FILE, "ro", "&immutable=1"), False
            raise
        return connection, True


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
