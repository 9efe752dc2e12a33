"""Sealing in the background: one thread of a process that writes or serves."""

import atexit
import logging
import threading
import time
import weakref

from indexer.errors import IndexerError
from indexer.local import segment_file
from indexer.local.engine import Engine
from indexer.local.faiss_index import Stopped, check_installed
from indexer.local.memory import give_back
from indexer.local.options import IndexOptions
from indexer.local.seal import Busy, seal
from indexer.local.transaction import Transaction

log = logging.getLogger("polylens")

_BEHIND = 4
"""Times `tail_rows`, above which writers wait."""
_PAUSE = 0.2
"""Seconds between two looks at whether another process has done sealing."""


class Sealer:
    """Seals a collection as it changes; safe from any thread."""

    def __init__(self, engine: Engine, options: IndexOptions) -> None:
        self._engine = engine
        self._options = options
        self._changed = threading.Condition()
        self._changes = _not_sealed(engine, options)  # since the last look
        self._tail = 0
        self._checking = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._active = bool(options.names(engine.schema().vectors)) and check_installed()
        _known.add(self)

    def changed(self, points: int) -> None:
        """So many points were written or removed; waits, if sealing is far behind."""
        if not self._active:
            return
        with self._changed:
            self._changes += points
            if self._changes * 4 > self._options.tail_rows:
                self._start()
            if not self._changed.wait_for(self._keeps_up, self._options.patience):
                log.warning(
                    "sealing is far behind: searches scan %d vectors", self._tail + self._changes
                )

    def check(self) -> None:
        """Compare every segment with its checksum, replace what is damaged, and seal what is due.

        In the background.
        """
        if self._active:
            with self._changed:
                self._checking = True
                self._start()

    def stop(self) -> None:
        """End what is going on, soon; nothing begins any more."""
        self._stopping.set()
        with self._changed:
            thread, self._active = self._thread, False
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _keeps_up(self) -> bool:
        waiting = self._tail + self._changes
        return self._thread is None or waiting <= _BEHIND * self._options.tail_rows

    def _start(self) -> None:
        if self._thread is None and self._active:
            self._thread = threading.Thread(target=self._run, name="polylens-seal", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._due():
                self._work()
                give_back()
        except Stopped:
            pass
        except IndexerError as error:
            log.warning("sealing failed, searches go on without: %s", error)
        except Exception:
            log.exception("sealing failed, searches go on without")
        finally:
            with self._changed:
                self._thread = None
                self._changed.notify_all()

    def _due(self) -> bool:
        with self._changed:
            return self._checking or self._changes * 4 > self._options.tail_rows

    def _work(self) -> None:
        with self._changed:
            self._changes, checking, self._checking = 0, self._checking, False
        if checking:
            drop_damaged(self._engine)
        for name in self._options.names(self._engine.schema().vectors):
            while self._seal(name):
                self._measure(name)
            self._measure(name)

    def _seal(self, name: str) -> bool:
        while True:
            if self._stopping.is_set():
                raise Stopped
            try:
                return seal(self._engine, name, self._options, stop=self._stopping.is_set)
            except Busy:
                time.sleep(_PAUSE)

    def _measure(self, name: str) -> None:
        with self._engine.snapshot() as snapshot:
            tail = int(snapshot.sealed[name].alive.counts[0])
        with self._changed:
            self._tail, self._changes = tail, 0
            self._changed.notify_all()


def _not_sealed(engine: Engine, options: IndexOptions) -> int:
    """At most so many vectors are in no segment."""
    with engine.snapshot() as snapshot:
        return sum(
            len(snapshot.view.vectors[name].rows.points)
            - sum(record.rows for record in snapshot.sealed[name].records)
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
