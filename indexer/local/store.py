"""All local collections of an installation: one folder each."""

import re
import shutil
import time
from pathlib import Path
from uuid import uuid4

from indexer.base import Schema
from indexer.errors import CollectionExists, InvalidName, UnknownCollection
from indexer.local import lock
from indexer.local.collection import LocalCollection
from indexer.local.database import FILE, connect_writer, translated
from indexer.local.filesystem import refuse_remote, sync_folder
from indexer.local.rawfile import FOLDER, HEADER_BYTES
from indexer.local.schema import migrate, write_schema

FOLDER_NAME = "collections"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_MAX_DIM = 65_536
_STALE_SECONDS = 3600


class LocalStore:
    """Satisfies `indexer.base.Store`: the collections under `root/collections`.

    `root` is made when the first collection is. `file_bytes` is the greatest size of a raw vector
    file in collections created here; `lock_timeout` how many seconds a write waits for others.
    """

    def __init__(
        self, root: Path, *, file_bytes: int = 1 << 30, lock_timeout: float = 30.0
    ) -> None:
        self._folder = Path(root).absolute() / FOLDER_NAME
        self._file_bytes = file_bytes
        self._lock_timeout = lock_timeout
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
                if _NAME.fullmatch(path.name) and (path / FILE).is_file()
            )

    def create(self, name: str, schema: Schema) -> LocalCollection:
        """Raises `CollectionExists` or `InvalidName`; `StorageError` on an unsuitable disk."""
        _check_name(name)
        _check_schema(schema, self._file_bytes)
        with translated(f"create collection {name!r}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            refuse_remote(self._folder)
            self._clean()
            draft = self._folder / f".{name}.{uuid4().hex}"
            try:
                self._build(draft, schema)
                self._publish(draft, name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return self.open(name)

    def open(self, name: str) -> LocalCollection:
        """The collection of that name; the same object each time while it is open.

        Raises `UnknownCollection`, `InvalidName`, `CollectionDamaged` or `NewerFormat`.
        """
        _check_name(name)
        opened = self._opened.get(name)
        if opened is not None and opened.is_open():
            return opened
        if opened is not None:
            self._opened.pop(name, None)
            opened.close()
        folder = self._folder / name
        if not folder.is_dir():
            raise self._unknown(name)
        fresh = LocalCollection(folder, self._lock_timeout)
        first = self._opened.setdefault(name, fresh)
        if first is not fresh:
            fresh.close()
        return first

    def drop(self, name: str) -> None:
        """Remove a collection and all it holds; raises `UnknownCollection`."""
        _check_name(name)
        folder = self._folder / name
        if not folder.is_dir():
            raise self._unknown(name)
        grave = self._folder / f".{name}.{uuid4().hex}"
        with translated(f"drop collection {name!r}"):
            commit_lock = lock.CommitLock(folder, self._lock_timeout)
            with commit_lock.held():
                folder.rename(grave)
                sync_folder(self._folder)
            commit_lock.close()
            opened = self._opened.pop(name, None)
            if opened is not None:
                opened.close()
            shutil.rmtree(grave)

    def close(self) -> None:
        """Close every collection that was opened here."""
        while self._opened:
            self._opened.popitem()[1].close()

    def _build(self, folder: Path, schema: Schema) -> None:
        (folder / FOLDER).mkdir(parents=True)
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
            if (self._folder / name).exists():
                raise CollectionExists(f"collection {name!r} exists already") from error
            raise
        sync_folder(self._folder)
        sync_folder(self._folder.parent)

    def _clean(self) -> None:
        """Remove what interrupted creations and drops left behind."""
        for path in self._folder.glob(".*.*"):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)

    def _unknown(self, name: str) -> UnknownCollection:
        known = ", ".join(self.names()) or "none"
        return UnknownCollection(f"there is no collection {name!r}; there are: {known}")


def _check_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} cannot name a collection: use 1 to 64 of a-z, 0-9, '-' and '_', beginning "
            "with a letter or a digit"
        )


def _check_schema(schema: Schema, file_bytes: int) -> None:
    if not schema.vectors:
        raise InvalidName("a collection needs at least one vector name")
    for name, dim in schema.vectors.items():
        if not isinstance(name, str) or not _VECTOR_NAME.fullmatch(name):
            raise InvalidName(
                f"{name!r} cannot name a vector: use 1 to 32 of a-z, 0-9, '-' and '_'"
            )
        if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= _MAX_DIM:
            raise InvalidName(
                f"vector {name!r}: the dimension must be 1 to {_MAX_DIM}; got {dim!r}"
            )
        if HEADER_BYTES + 4 * dim > file_bytes:
            raise ValueError(f"a raw file of {file_bytes} bytes cannot hold one vector {name!r}")
