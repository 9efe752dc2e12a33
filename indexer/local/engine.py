"""The state of an open collection in one process: its lock, connections, views and committer."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.base import Schema
from indexer.errors import CollectionDamaged, UnknownCollection
from indexer.local import database, lock
from indexer.local.commit import Committer
from indexer.local.database import Readers, connect_writer, translated
from indexer.local.faiss_index import check_installed
from indexer.local.filesystem import refuse_remote
from indexer.local.lock import CommitLock
from indexer.local.schema import MIGRATIONS, format_version, migrate, read_layout, read_schema
from indexer.local.segments import Sealed, Seals
from indexer.local.view import View, Viewer


@dataclass(frozen=True)
class Snapshot:
    """One state of a collection: an open read transaction, and what belongs to it in memory.

    `sealed` maps vector name -> its segments.
    """

    connection: sqlite3.Connection
    view: View
    sealed: Mapping[str, Sealed]


class Engine:
    """The open parts of a collection; safe from any thread, of no use after a fork.

    Opening it raises `CollectionDamaged`, `NewerFormat` or `StorageError`.
    """

    def __init__(self, folder: Path, lock_timeout: float) -> None:
        refuse_remote(folder)
        if not folder.is_dir():
            raise UnknownCollection(f"collection {folder.name!r} was dropped")
        for part in (database.FILE, lock.FILE):
            if not (folder / part).is_file():
                raise CollectionDamaged(f"collection {folder.name!r} lacks its file {part}")
        check_installed()
        self.folder = folder
        self.lock_timeout = lock_timeout
        self._name = folder.name
        self._viewing = threading.Lock()
        with translated(f"open collection {self._name!r}"):
            self.lock = CommitLock(folder, lock_timeout)
        self.readers = Readers(folder)
        try:
            self._open(folder)
        except BaseException:
            self._let_go()
            raise

    def _open(self, folder: Path) -> None:
        with translated(f"open collection {self._name!r}"):
            self._upgrade(folder)
            with self.readers.connection() as connection:
                uid, self._schema, self.file_bytes = read_schema(connection)
                self._layout = read_layout(connection)
        self.uid = uid
        dims, file_bytes = self._schema.vectors, self.file_bytes
        self._viewer = Viewer(folder, uid, dims)
        self.seals = Seals(folder)
        self.committer = Committer(folder, uid, dims, file_bytes, self.lock)
        with self.snapshot():
            pass  # maps every raw file, and so finds what is missing, short or not ours

    def schema(self) -> Schema:
        """As it is now: vector names may be added to it."""
        with translated(f"read collection {self._name!r}"), self.readers.connection() as connection:
            layout = read_layout(connection)
            if layout != self._layout:
                self._schema, self._layout = read_schema(connection)[1], layout
        return self._schema

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The state that holds every commit acknowledged before now; keep it briefly."""
        self.lock.check_in_place()
        with translated(f"read collection {self._name!r}"), self.readers.connection() as connection:
            # Under a lock, or the shared view could be newer than this transaction.
            with self._viewing:
                snapshot = self._begin(connection)
            yield snapshot

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the database alone, which spares whoever writes at once a view of it."""
        self.lock.check_in_place()
        with translated(f"read collection {self._name!r}"), self.readers.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    def _begin(self, connection: sqlite3.Connection) -> Snapshot:
        """Begin a read transaction; what it sees."""
        while True:
            connection.execute("BEGIN")
            layout = read_layout(connection)
            try:
                return self._viewed(connection)
            except CollectionDamaged:
                # A compaction may have removed the files of this state, but then there is another.
                connection.rollback()
                if read_layout(connection) == layout:
                    raise

    def _viewed(self, connection: sqlite3.Connection) -> Snapshot:
        try:
            view = self._viewer.current(connection)
            return Snapshot(connection, view, self.seals.current(connection, view))
        except (ValueError, KeyError, TypeError) as error:  # what no commit of ours could store
            raise CollectionDamaged(
                f"the records of collection {self._name!r} contradict each other: {error!r}"
            ) from error

    def rest(self) -> None:
        """Let what is going on end, close all connections, begin nothing until `resume`."""
        self.committer.rest()
        self.readers.rest()

    def resume(self) -> None:
        self.readers.resume()
        self.committer.resume()

    def close(self) -> None:
        try:
            self.committer.close()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        try:
            self.readers.close()
        finally:
            self.lock.close()

    def _upgrade(self, folder: Path) -> None:
        with self.readers.connection() as connection:
            version = format_version(connection, self._name)
        if version == 0:
            raise CollectionDamaged(f"the database of collection {self._name!r} is empty")
        if version < len(MIGRATIONS):
            with self.lock.held():
                writer = connect_writer(folder)
                migrate(writer, format_version(writer, self._name))
                writer.close()
