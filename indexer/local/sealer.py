"""Seal in the background of a process that writes or serves, in child processes."""

import atexit
import logging
import threading
import weakref

from indexer.errors import IndexerError
from indexer.local import segment_file
from indexer.local.builder import Builder, Order
from indexer.local.engine import Engine
from indexer.local.faiss_index import check_installed
from indexer.local.options import IndexOptions
from indexer.local.seal import planned, tidy, unsealed
from indexer.local.transaction import Transaction

log = logging.getLogger("polylens")

_BEHIND = 4
"""Times `tail_rows`, above which writers wait."""


class Sealer:
    """Seals a collection as it changes; safe from any thread.

    A process that only writes needs no view of the rows for it, and opens no segment.
    """

    def __init__(self, engine: Engine, options: IndexOptions) -> None:
        self._engine = engine
        self._options = options
        self._changed = threading.Condition()
        self._changes = _not_sealed(engine, options)  # since the last look
        self._tail = 0
        self._checking = self._serving = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._builder: Builder | None = None
        self._active = bool(options.names(engine.schema().vectors)) and check_installed()
        _known.add(self)

    def changed(self, points: int) -> None:
        """So many points were written or removed; waits, if sealing is far behind."""
        if not self._active:
            return
        with self._changed:
            self._changes += points
            if self._is_due():
                self._start()
            if not self._changed.wait_for(self._keeps_up, self._options.patience):
                log.warning(
                    "sealing is far behind: searches scan %d vectors", self._tail + self._changes
                )

    def check(self) -> None:
        """Compare every segment with its checksum, replace what is damaged, and seal what is due.

        In the background, and for who serves: from now on no search has to open a new segment.
        """
        if self._active:
            with self._changed:
                self._checking = self._serving = True
                self._start()

    def stop(self) -> None:
        """End what is going on, at once; nothing begins any more."""
        self._stopping.set()
        with self._changed:
            thread, self._active = self._thread, False
            if self._builder is not None:
                self._builder.kill()
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _is_due(self) -> bool:
        """Whether there may be something to seal, or many rows died."""
        least = self._options.tail_rows
        return self._changes * 4 > least and self._tail + self._changes > least

    def _keeps_up(self) -> bool:
        waiting = self._tail + self._changes
        return self._thread is None or waiting <= _BEHIND * self._options.tail_rows

    def _start(self) -> None:
        if self._thread is None and self._active:
            self._thread = threading.Thread(target=self._run, name="polylens-seal", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._work()
        except IndexerError as error:
            if not self._stopping.is_set():
                log.warning("sealing failed, searches go on without: %s", error)
        except Exception:
            log.exception("sealing failed, searches go on without")
        finally:
            with self._changed:
                self._thread = None
                self._changed.notify_all()

    def _goes_on(self) -> bool:
        with self._changed:
            return self._active and (self._checking or self._is_due())

    def _work(self) -> None:
        with self._changed:
            checking, self._checking = self._checking, False
            self._tail, self._changes = self._tail + self._changes, 0
        if checking:
            drop_damaged(self._engine)
        if not checking or self._finds_due():
            self._build()
        if self._serving:
            with self._engine.snapshot() as snapshot:
                self._found(unsealed(snapshot, self._options))

    def _finds_due(self) -> bool:
        with self._engine.snapshot() as snapshot:
            names = self._options.names(snapshot.view.vectors)
            return any(planned(snapshot, name, self._options) for name in names)

    def _build(self) -> None:
        builder = Builder(Order(self._engine.folder, self._engine.lock_timeout, self._options))
        with self._changed:
            self._builder = builder
            if self._stopping.is_set():
                builder.kill()
        try:
            for tail in builder.tails():
                self._found(tail)
        except IndexerError:
            tidy(self._engine)
            raise
        finally:
            self._builder = None

    def _found(self, tail: int) -> None:
        """So many vectors are in no segment."""
        with self._changed:
            self._tail, self._changes = tail, 0
            self._changed.notify_all()


def _not_sealed(engine: Engine, options: IndexOptions) -> int:
    """Roughly how many vectors are in no segment."""
    with engine.snapshot() as snapshot:
        return sum(
            max(
                0,
                len(snapshot.view.vectors[name].rows.points)
                - sum(record.rows for record in snapshot.sealed[name].records),
            )
            for name in options.names(engine.schema().vectors)
        )


def drop_damaged(engine: Engine) -> list[str]:
    """Take segments whose files are damaged out of the records; the names of these files."""
    with engine.snapshot() as snapshot:
        found = segment_file.records(snapshot.connection)
    bad = [r for r in found if not segment_file.is_whole(engine.folder, r.file)]
    numbers = [(record.number,) for record in bad]
    if bad:
        engine.seals.shelf.forget([number for (number,) in numbers])

        def drop(transaction: Transaction) -> None:
            transaction.execute("DELETE FROM segment WHERE number = ?", numbers)

        engine.committer.run(drop)
        log.warning("damaged segments will be built again: %s", [r.file.name for r in bad])
    return [record.file.name for record in bad]


_known: "weakref.WeakSet[Sealer]" = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    # A thread inside FAISS while its library is unloaded would end the process with a signal.
    for sealer in list(_known):
        sealer.stop()
