"""Dynamic batching: calls that wait while the device is busy run together."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from api.offload import Overloaded
from api.patience import PATIENCE, Patience, TooLate

T = TypeVar("T")
R = TypeVar("R")
Timed = Callable[[str, float], None]
"""Told the name of a stage and the seconds it took."""


class WorkerLost(RuntimeError):
    """The thread that ran a batch came to its end with it."""


@dataclass(frozen=True)
class BatchOptions:
    """`max_batch` items run together; `max_queue` wait, and beyond that calls are refused.

    A batch is what waits when the device becomes free; `max_wait_ms` holds it back so long for
    more to come, which pays only for devices that one item keeps mostly idle.
    """

    max_batch: int = 64
    max_wait_ms: float = 0.0
    max_queue: int = 1024


@dataclass
class _Call(Generic[T, R]):
    items: Sequence[T]
    length: int
    patience: Patience
    future: "Future[list[R]]" = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Batcher(Generic[T, R]):
    """Calls `run` from one thread of its own with the items of several callers; thread-safe.

    `run` gives a result for each item; `length` tells how long an item is, so that those of like
    length run together when more wait than fit. A batch that fails is tried again call by call, so
    that one bad item fails its own call alone. A worker that dies is replaced by the next call.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Sequence[R]],
        options: BatchOptions,
        length: Callable[[T], int] = lambda _: 0,
        timed: Timed = lambda _stage, _seconds: None,
    ) -> None:
        self._run = run
        self._options = options
        self._length = length
        self._timed = timed
        self._calls: list[_Call[T, R]] = []
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self.deaths = 0

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        with self._changed:
            return sum(len(call.items) for call in self._calls)

    def __call__(self, items: Sequence[T]) -> list[R]:
        """The results of `items`, in their order.

        Raises what `run` raises, `Overloaded` when the queue is full, and `TooLate` or `ClientGone`
        where the caller's request is no longer worth it.
        """
        patience = PATIENCE.get()
        call = _Call[T, R](items, max(map(self._length, items), default=0), patience)
        with self._changed:
            waiting = sum(len(other.items) for other in self._calls)
            if waiting + len(items) > self._options.max_queue:
                raise Overloaded("the encoder queue is full: try again shortly")
            self._calls.append(call)
            self._employ()
            self._changed.notify_all()
        try:
            return call.future.result(patience.left)
        except FutureTimeout:
            raise TooLate("the service was too busy to answer in time: try again later") from None

    def _employ(self) -> None:
        """See that there is a worker while there is work; under the lock."""
        if self._calls and self._worker is None:
            self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            batch = self._next()
            try:
                self._serve(batch)
            except BaseException as error:
                with self._changed:
                    self.deaths += 1
                    self._worker = None
                    self._employ()
                for call in batch:
                    if not call.future.done():
                        call.future.set_exception(WorkerLost(f"the encoder's worker died: {error}"))
                raise

    def _next(self) -> list[_Call[T, R]]:
        with self._changed:
            while not self._calls:
                self._changed.wait()
            until = self._calls[0].since + self._options.max_wait_ms / 1000
            while self._filled() < self._options.max_batch and time.monotonic() < until:
                self._changed.wait(until - time.monotonic())
            return self._take()

    def _filled(self) -> int:
        return sum(len(call.items) for call in self._calls)

    def _take(self) -> list[_Call[T, R]]:
        """The oldest call, and those nearest to it in length while they fit."""
        first = self._calls[0]
        nearest = sorted(self._calls, key=lambda call: abs(call.length - first.length))
        batch, room = [first], self._options.max_batch - len(first.items)
        for call in nearest:
            if call is not first and len(call.items) <= room:
                batch.append(call)
                room -= len(call.items)
        taken = {id(call) for call in batch}
        self._calls = [call for call in self._calls if id(call) not in taken]
        return batch

    def _serve(self, batch: list[_Call[T, R]]) -> None:
        calls = [call for call in batch if self._worthwhile(call)]
        if not calls:
            return
        try:
            self._settle(calls)
        except Exception as error:  # noqa: BLE001 - handed to the callers
            if len(calls) == 1:
                calls[0].future.set_exception(error)
                return
            for call in calls:
                self._serve([call])

    def _worthwhile(self, call: _Call[T, R]) -> bool:
        try:
            call.patience.check()
        except Exception as error:  # noqa: BLE001 - handed to the caller
            call.future.set_exception(error)
            return False
        return True

    def _settle(self, calls: list[_Call[T, R]]) -> None:
        begun = time.monotonic()
        results = self._run([item for call in calls for item in call.items])
        self._timed("forward", time.monotonic() - begun)
        start = 0
        for call in calls:
            self._timed("queue", begun - call.since)
            call.future.set_result(list(results[start : start + len(call.items)]))
            start += len(call.items)
