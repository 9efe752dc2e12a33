"""A collection in a folder: SQLite and raw vector files, searched exactly."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.base import (
    AssetWrite,
    Hit,
    Page,
    Payload,
    Point,
    Record,
    Schema,
    SearchResult,
    Selector,
)
from indexer.checks import (
    check_assets,
    check_effort,
    check_filter,
    check_ids,
    check_keys,
    check_limit,
    check_names,
    check_schema,
    check_selector,
    check_text,
    checked_query,
    widened,
)
from indexer.errors import StorageError, UnknownCollection, Unsupported
from indexer.filters import Filter
from indexer.ledger_sql import Execute, SqlLedger
from indexer.local import edit, read, verify
from indexer.local.approximate import Effort
from indexer.local.compact import Compacted, compact, keep_files
from indexer.local.engine import Engine
from indexer.local.faiss_index import check_installed
from indexer.local.fill import set_vectors
from indexer.local.forks import heed_forks
from indexer.local.info import VectorIndex, index_info
from indexer.local.options import IndexOptions
from indexer.local.rawfile import check_fits
from indexer.local.seal import Busy, seal
from indexer.local.sealer import Sealer, drop_damaged
from indexer.local.snapshot import Manifest, write_snapshot
from indexer.local.transaction import Transaction
from indexer.local.usage import Usage, disk_bytes, usage
from indexer.payload import check_payload
from indexer.points import prepare, prepare_vectors
from indexer.words import asked

T = TypeVar("T")

_PAUSE = 0.05
"""Seconds between two attempts to seal while somebody else does."""


class LocalCollection:
    """Satisfies `indexer.base.Collection`; made by `LocalStore`.

    It may be shared by threads, kept for as long as the process lives, and used in its forked
    children. `lock_timeout` is how many seconds a write waits for other processes.
    """

    def __init__(
        self, folder: Path, lock_timeout: float = 30.0, options: IndexOptions | None = None
    ) -> None:
        """Raises `CollectionDamaged`, `NewerFormat`, `StorageError` or `Unsupported`."""
        self._folder = folder
        self._lock_timeout = lock_timeout
        self._options = options or IndexOptions()
        self._opening = threading.Lock()
        self._closed = False
        self._parts: Engine | None = None
        self._sealing: Sealer | None = None
        heed_forks(self)
        self._engine()
        self._ledger = SqlLedger(self._write_ledger, self._connection)

    @property
    def name(self) -> str:
        return self._folder.name

    @property
    def uid(self) -> UUID:
        """Written when the collection was made."""
        return self._engine().uid

    @property
    def schema(self) -> Schema:
        return self._engine().schema()

    @property
    def ledger(self) -> SqlLedger:
        return self._ledger

    def upsert(self, points: Sequence[Point]) -> None:
        """Store points; one whose id exists is replaced whole. Raises `InvalidPoint`."""
        batch = prepare(points, self.schema)
        if points:
            self._commit(lambda transaction: transaction.upsert(batch), len(points))

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        """Make each asset's points those given and record its ledger row; `InvalidPoint`."""
        operation = edit.replace(assets, self.schema)
        if assets:
            self._commit(operation, sum(len(write.points) for write in assets))

    def stage(self, points: Sequence[Point]) -> None:
        """Keep points of unfinished assets, out of every read. Raises `InvalidPoint`."""
        batch = prepare(points, self.schema)
        if points:
            self._commit(lambda transaction: transaction.stage(batch))

    def staged(self, asset: str) -> list[Record]:
        """The staged points of an asset in id order, without vectors."""
        check_assets([asset])
        with self._engine().snapshot() as snapshot:
            return read.staged(snapshot, asset)

    def delete(self, selector: Selector) -> int:
        """Remove points; returns how many there were."""
        check_selector(selector)
        count = self._commit(lambda transaction: edit.delete(transaction, selector))
        self._sealer().changed(count)
        return count

    def set_payload(self, selector: Selector, payload: Payload) -> int:
        """Set top-level keys; returns how many points were selected. Raises `InvalidPoint`."""
        check_selector(selector)
        check_payload(payload)
        return self._commit(lambda t: edit.set_payload(t, selector, payload))

    def delete_payload(self, selector: Selector, keys: Sequence[str]) -> int:
        """Remove top-level keys; returns how many points were selected."""
        check_selector(selector)
        check_keys(keys)
        return self._commit(lambda t: edit.delete_payload(t, selector, keys))

    def add_vector(
        self,
        name: str,
        dim: int,
        *,
        encoder: str | None = None,
        fingerprint: Mapping[str, str] | None = None,
    ) -> None:
        """Let points have a vector of another name, and say what writes it; `InvalidName`."""

        def widen(transaction: Transaction) -> None:
            wider = widened(transaction.schema, name, dim, encoder, fingerprint)
            if wider != transaction.schema:
                transaction.describe(wider)

        engine = self._engine()
        check_schema(Schema({name: dim}))
        check_fits({name: dim}, engine.file_bytes)
        engine.committer.run_alone(widen)

    def set_vectors(self, vectors: Mapping[UUID, Mapping[str, NDArray[np.float32]]]) -> int:
        """Set vectors of points that are there; returns how many are. Raises `InvalidPoint`."""
        batch = prepare_vectors(vectors, self.schema)
        count = set_vectors(self._engine(), batch) if vectors else 0
        self._sealer().changed(count)
        return count

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        """The records of these ids, in order, without unknown ids."""
        check_ids(ids)
        check_names(with_vectors, self.schema)
        with self._engine().snapshot() as snapshot:
            return read.get(snapshot, ids, with_vectors)

    def scroll(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's word for it
        *,
        limit: int = 100,
        after: UUID | None = None,
        with_vectors: Sequence[str] = (),
    ) -> Page:
        """Records in id order, `limit` (1 to 10,000) at a time. Raises `InvalidQuery`."""
        check_filter(filter)
        check_limit(limit)
        check_ids([] if after is None else [after])
        check_names(with_vectors, self.schema)
        with self._engine().snapshot() as snapshot:
            return read.scroll(snapshot, filter, limit, after, with_vectors)

    def count(self, filter: Filter | None = None) -> int:  # noqa: A002
        """The number of points that match."""
        check_filter(filter)
        with self._engine().snapshot() as snapshot:
            return read.count(snapshot, filter)

    def search(
        self,
        query: NDArray[np.float32],
        *,
        vector: str = "default",
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
        effort: float | None = None,
        recall: float | None = None,
    ) -> SearchResult:
        """The `limit` points (1 to 10,000) of highest cosine to `query` `[dim]`.

        `effort`, 0 to 1, goes through what the calibration of each segment found to be worth while;
        1 is exact. `recall` takes the cheapest that reached it, else an exact scan; the default
        is that of the index options. Points of equal score come in id order. Raises `InvalidQuery`.
        """
        check_filter(filter)
        check_limit(limit)
        check_effort(effort, recall)
        unit = checked_query(query, self.schema, vector)
        wish = Effort(effort, recall)
        with self._engine().snapshot() as snapshot:
            return read.search(snapshot, vector, unit, filter, limit, wish, self._options)

    def find_text(
        self,
        text: str,
        *,
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
    ) -> list[Hit]:
        """The `limit` points (1 to 10,000) with every word of `text`. Raises `InvalidQuery`."""
        check_text(text)
        check_filter(filter)
        check_limit(limit)
        with self._engine().snapshot() as snapshot:
            return read.find_text(snapshot, asked(text), filter, limit)

    def seal(self, vector: str | None = None) -> None:
        """Bring all vectors of a name, by default of those that get an index, into segments, now.

        Waits for whoever is sealing. Raises `Unsupported` without FAISS, `InvalidQuery` for an
        unknown name, `StorageError` and `CollectionDamaged`.
        """
        if not check_installed():
            raise Unsupported("sealing needs FAISS: install polylens[cpu] or polylens[gpu]")
        check_names([vector] if vector else [], self.schema)
        for name in [vector] if vector else self._options.names(self.schema.vectors):
            while self._seal(name):
                pass

    def check_index(self) -> None:
        """In the background, check every segment and seal what is due: for who serves."""
        self._sealer().check()

    def index_info(self) -> list[VectorIndex]:
        """What is sealed of each vector name, and how well it was found to answer."""
        with self._engine().snapshot() as snapshot:
            return index_info(snapshot)

    def verify(self) -> int:
        """Read everything again and compare checksums; how many bytes of vectors there are.

        Segments that are damaged are dropped and built again. Raises `CollectionDamaged` naming all
        else that is wrong.
        """
        engine = self._engine()
        with suppress(StorageError):  # in a folder that can only be read
            if drop_damaged(engine):
                self._sealer().check()
        with keep_files(self._folder, self._lock_timeout), engine.snapshot() as snapshot:
            return verify.verify(snapshot.connection, self._folder)

    def usage(self) -> Usage:
        """What it holds, and what that costs on the disk."""
        return usage(self._engine(), self._folder)

    def disk_bytes(self) -> int:
        """Of the database and the raw vectors: quicker to tell than `usage`."""
        return disk_bytes(self._folder)

    def compact(self) -> Compacted:
        """Give back the disk space of dead points; searches and writes go on meanwhile.

        Raises `CollectionBusy`, `CollectionDamaged` and `StorageError`.
        """
        return compact(self._engine(), self._folder, self._lock_timeout)

    def snapshot(self, target: Path) -> Manifest:
        """Write one state as the file `target`, for `LocalStore.restore`; writers go on meanwhile.

        Raises `StorageError` (also where the file exists), `CollectionBusy`, `CollectionDamaged`.
        """
        return write_snapshot(self._engine(), self._folder, target, self._lock_timeout)

    def close(self) -> None:
        """Release files and connections; the object is of no use afterwards."""
        with self._opening:
            parts, self._parts, self._closed = self._parts, None, True
            if self._sealing is not None:
                self._sealing.stop()
            if parts is not None:
                parts.close()

    def is_open(self) -> bool:
        """Whether it was neither closed nor dropped, here or by another process."""
        parts = self._parts
        return not self._closed and (parts is None or parts.lock.in_place())

    def _engine(self) -> Engine:
        parts = self._parts
        if parts is not None:
            return parts
        with self._opening:
            if self._closed:
                raise UnknownCollection(
                    f"collection {self.name!r} was dropped or closed while in use"
                )
            if self._parts is None:
                self._parts = Engine(self._folder, self._lock_timeout)
                self._sealing = Sealer(self._parts, self._options)
            return self._parts

    def _sealer(self) -> Sealer:
        self._engine()
        return cast(Sealer, self._sealing)

    def _seal(self, name: str) -> bool:
        try:
            return seal(self._engine(), name, self._options, all_rows=True)
        except Busy:
            time.sleep(_PAUSE)
            return True

    def _commit(self, operation: Callable[[Transaction], T], points: int = 0) -> T:
        """Commit; `points` is how many of them are written."""
        result = self._engine().committer.run(operation)
        self._sealer().changed(points)
        return result

    def _write_ledger(self, change: Callable[[Execute], None]) -> None:
        self._commit(lambda transaction: change(transaction.execute))

    def _connection(self) -> AbstractContextManager[Connection]:
        return self._engine().reading()

    def before_fork(self) -> None:
        """Be at rest: `indexer.local.forks`."""
        self._opening.acquire()
        if self._parts is not None:
            self._parts.rest()

    def after_fork(self, *, in_child: bool) -> None:
        """Go on; a child opens the collection anew when it first uses it."""
        if self._parts is not None:
            if in_child:
                self._parts.lock.close()
                self._parts = self._sealing = None
            else:
                self._parts.resume()
        self._opening.release()
