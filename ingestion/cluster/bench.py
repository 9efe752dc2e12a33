"""Where an actor works: the local engine, on a few groups of files at a time."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from encoders import Encoder
from ingestion.cluster.desk import Asking
from ingestion.encoding import Encoded, Staged
from ingestion.engine import LocalEngine
from ingestion.jobs import Job
from ingestion.options import IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Stopped
from ingestion.threads import Threads

EVERY = 1.0  # seconds after which the driver is told what is finished of a group
Sums = tuple[int, float]
"""How much a stage did, and in how many seconds of all its processes together."""


class Bench:
    """An engine that goes on from group to group: its processes stay, and its batches are full."""

    def __init__(self, encoder: Encoder, asking: Asking, options: IngestOptions) -> None:
        self._engine = LocalEngine(encoder, asking.collection, options, Patience())
        self._threads = Threads([*self._engine.stages, self._sort], self._engine.stop)
        self._asking = asking
        self._workers = options.workers
        self._groups: list[_Group] = []
        self._summed = threading.Lock()
        self._last: list[Sums] = [(0, 0.0), (0, 0.0)]
        self._engine.open()
        self._threads.start()

    def work(self, number: int, jobs: Sequence[Job]) -> list[Encoded]:
        """Finish a group, in as many threads as call it; the files the driver was not told of.

        Raises whatever ends the engine, or `Stopped`.
        """
        group = _Group(number, jobs)
        self._groups.append(group)
        with suppress(Stopped):
            for job in jobs:
                self._engine.put(job)
            group.done.wait()
        self._groups.remove(group)
        self._threads.check()
        if group.left:
            raise Stopped
        return group.found

    def sums(self) -> list[Sums]:
        """Of decoding and of encoding, since this was last asked."""
        meters = self._engine.meters
        with self._summed:
            count, seconds = meters.decode.sums
            now = [(count, seconds / self._workers), meters.encode.sums]
            since = [
                (count - before, seconds - earlier)
                for (count, seconds), (before, earlier) in zip(now, self._last, strict=True)
            ]
            self._last = now
        return since

    def close(self) -> None:
        """Give up what is being done."""
        self._threads.end()
        self._engine.close()

    def _sort(self) -> None:
        """Give each outcome to its group."""
        try:
            while True:
                one = self._engine.encoded.get()
                if isinstance(one, Staged):
                    self._asking.keep(one)
                else:
                    self._give(one)
        finally:
            self._engine.stop()
            for group in list(self._groups):
                group.done.set()

    def _give(self, one: Encoded) -> None:
        asset = one.outcome.job.item.asset
        group = next(group for group in self._groups if asset in group.left)
        group.left.remove(asset)
        group.found.append(one)
        if not group.left:
            group.done.set()
        elif time.monotonic() - group.told >= EVERY:
            self._asking.tell(group.number, group.found)
            group.found, group.told = [], time.monotonic()


class _Group:
    """The files `left` of a group, and those found but not told to the driver, which last heard of
    it at `told`."""

    def __init__(self, number: int, jobs: Sequence[Job]) -> None:
        self.number = number
        self.left = {job.item.asset for job in jobs}
        self.found: list[Encoded] = []
        self.told = time.monotonic()
        self.done = threading.Event()
        if not jobs:
            self.done.set()
