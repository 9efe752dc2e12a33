"""All local collections of an installation: one folder each."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from indexer.base import Schema
from indexer.checks import (
    check_name,
    check_schema,
    is_name,
    refuse_alias,
    taken,
    unknown_alias,
)
from indexer.errors import UnknownCollection
from indexer.local import lock
from indexer.local.aliases import Aliases
from indexer.local.collection import LocalCollection
from indexer.local.database import FILE, connect_writer, translated
from indexer.local.drafts import draft, hidden
from indexer.local.filesystem import refuse_remote, sync_folder
from indexer.local.options import IndexOptions
from indexer.local.rawfile import FOLDER, check_fits
from indexer.local.restore import unpack
from indexer.local.schema import migrate, write_schema
from indexer.local.snapshot import read_manifest

FOLDER_NAME = "collections"


class LocalStore:
    """Satisfies `indexer.base.Store`: the collections under `root/collections`.

    `root` is made when the first collection is. `file_bytes` is the greatest size of a raw vector
    file in collections created here; `lock_timeout` how many seconds a write waits for others;
    `index` how collections are indexed by this process.
    """

    def __init__(
        self,
        root: Path,
        *,
        file_bytes: int = 1 << 30,
        lock_timeout: float = 30.0,
        index: IndexOptions | None = None,
    ) -> None:
        self._folder = Path(root).absolute() / FOLDER_NAME
        self._aliases = Aliases(self._folder)
        self._file_bytes = file_bytes
        self._lock_timeout = lock_timeout
        self._index = index
        # Shared by threads without a lock: each step on a dictionary happens as a whole.
        self._opened: dict[str, LocalCollection] = {}

    def names(self) -> list[str]:
        """The collections there are, in order."""
        if not self._folder.is_dir():
            return []
        with translated(f"list {self._folder}"):
            return sorted(
                path.name
                for path in self._folder.iterdir()
                if is_name(path.name) and (path / FILE).is_file() and not path.is_symlink()
            )

    def broken(self) -> list[str]:
        """Folders that must have been collections, but have no database; `open` says so too."""
        if not self._folder.is_dir():
            return []
        with translated(f"list {self._folder}"):
            return sorted(
                path.name
                for path in self._folder.iterdir()
                if is_name(path.name) and (path / FOLDER).is_dir() and not (path / FILE).is_file()
            )

    def create(self, name: str, schema: Schema) -> LocalCollection:
        """Raises `CollectionExists` or `InvalidName`; `StorageError` on an unsuitable disk."""
        check_name(name)
        check_schema(schema)
        check_fits(schema.vectors, self._file_bytes)
        with translated(f"create collection {name!r}"), self._draft(name) as draft:
            self._build(draft, schema)
            self._publish(draft, name)
        return self.open(name)

    def restore(self, archive: Path, name: str | None = None) -> LocalCollection:
        """A collection from a snapshot, under the name it had or another that is free.

        It is the same collection, its uid included; everything is checked before it is there.
        Raises `InvalidArchive`, `NewerFormat`, `CollectionExists`, `InvalidName`, `StorageError`.
        """
        manifest = read_manifest(archive)
        name = manifest.name if name is None else name
        check_name(name)
        with translated(f"restore collection {name!r} from {archive}"):
            if os.path.lexists(self._folder / name):
                raise taken(name, self._aliases.target(name))
            with self._draft(name) as draft:
                unpack(archive, manifest, draft)
                self._publish(draft, name)
        return self.open(name)

    def open(self, name: str) -> LocalCollection:
        """The collection of that name or alias; the same object each time while it is open.

        Raises `UnknownCollection`, `InvalidName`, `CollectionDamaged` or `NewerFormat`.
        """
        check_name(name)
        name = self._aliases.target(name) or name
        opened = self._opened.get(name)
        if opened is not None and opened.is_open():
            return opened
        if opened is not None:
            self._opened.pop(name, None)
            opened.close()
        folder = self._folder / name
        if not folder.is_dir():
            raise self._unknown(name)
        fresh = self._load(folder)
        first = self._opened.setdefault(name, fresh)
        if first is not fresh:
            fresh.close()
        return first

    def drop(self, name: str) -> None:
        """Remove a collection and all it holds; raises `UnknownCollection`."""
        check_name(name)
        refuse_alias(name, self._aliases.target(name))
        folder = self._folder / name
        if not folder.is_dir():
            raise self._unknown(name)
        grave = hidden(self._folder, name)
        with translated(f"drop collection {name!r}"):
            commit_lock = lock.CommitLock(folder, self._lock_timeout)
            with commit_lock.held():
                self._aliases.forget(name)
                folder.rename(grave)
                sync_folder(self._folder)
            commit_lock.close()
            opened = self._opened.pop(name, None)
            if opened is not None:
                opened.close()
            shutil.rmtree(grave, ignore_errors=True)  # what is left over is swept later

    def aliases(self) -> dict[str, str]:
        """Other names by which collections are opened, alias -> collection, in order."""
        return self._aliases.all() if self._folder.is_dir() else {}

    def set_alias(self, alias: str, collection: str) -> None:
        """Create an alias, or move it to another collection atomically."""
        check_name(alias)
        check_name(collection)
        refuse_alias(collection, self._aliases.target(collection))
        folder = self._folder / collection
        if not folder.is_dir():
            raise self._unknown(collection)
        with translated(f"set the alias {alias!r}"):
            # Held against a drop, which would leave an alias of nothing.
            commit_lock = lock.CommitLock(folder, self._lock_timeout)
            with closing(commit_lock), commit_lock.held():
                self._aliases.set(alias, collection)

    def drop_alias(self, alias: str) -> None:
        """Remove an alias, not the collection; raises `UnknownCollection`."""
        check_name(alias)
        if self._aliases.target(alias) is None:
            raise unknown_alias(alias, self.aliases())
        with translated(f"remove the alias {alias!r}"):
            self._aliases.remove(alias)

    def close(self) -> None:
        """Close every collection that was opened here."""
        while self._opened:
            self._opened.popitem()[1].close()

    @contextmanager
    def _draft(self, name: str) -> Iterator[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        refuse_remote(self._folder)
        with draft(self._folder, name) as folder:
            yield folder

    def _load(self, folder: Path) -> LocalCollection:
        return LocalCollection(folder, self._lock_timeout, self._index)

    def _build(self, folder: Path, schema: Schema) -> None:
        (folder / FOLDER).mkdir()
        (folder / lock.FILE).touch()
        connection = connect_writer(folder)
        migrate(connection, 0)
        write_schema(connection, uuid4(), schema, self._file_bytes)
        connection.close()
        sync_folder(folder / FOLDER)
        sync_folder(folder)

    def _publish(self, draft: Path, name: str) -> None:
        try:
            # Onto a folder that is not empty, a rename fails: of two creators one wins.
            draft.rename(self._folder / name)
        except OSError as error:
            if os.path.lexists(self._folder / name):
                raise taken(name, self._aliases.target(name)) from error
            raise
        sync_folder(self._folder)
        sync_folder(self._folder.parent)

    def _unknown(self, name: str) -> UnknownCollection:
        known = ", ".join(self.names()) or "none"
        return UnknownCollection(f"there is no collection {name!r}; there are: {known}")
