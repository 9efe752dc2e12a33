"""Keep blocking work off the event loop, and refuse it when the queue is full."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

P = ParamSpec("P")
T = TypeVar("T")


class Overloaded(Exception):
    """Too many calls wait already; try again."""


class Lane:
    """Runs blocking calls in threads, `threads` at a time; up to `waiting` more stand in line.

    As many as `aside` others have begun and wait there for what is done elsewhere. Separate lanes
    keep a page full of thumbnails, or an upload, from holding up searches.
    """

    def __init__(self, threads: int, waiting: int = 256, aside: int = 0) -> None:
        self._limiter = anyio.CapacityLimiter(threads + aside)
        self._places = _Places(threads)
        self._waiting = waiting

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return self._limiter.statistics().tasks_waiting + self._places.waiting

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result, or what it raises; raises `Overloaded` when the line is full."""
        if self.waiting >= self._waiting:
            raise Overloaded("the service queue is full: try again shortly")
        work = partial(self._work, partial(call, *args, **kwargs))
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def _work(self, call: Callable[[], T]) -> T:
        self._places.take()
        try:
            _PLACES.set(self._places)  # in the call's own copy of the context
            return call()
        finally:
            self._places.leave()


@contextmanager
def aside() -> Iterator[None]:
    """Give the place of a lane's call to another while this one waits for what others do."""
    places = _PLACES.get()
    if places is None:
        yield
        return
    places.leave()
    try:
        yield
    finally:
        places.take()


class _Places:
    """Of threads at work: who comes when all are taken waits."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = threading.Condition()
        self.waiting = 0

    def take(self) -> None:
        with self._changed:
            self.waiting += 1
            self._changed.wait_for(lambda: self._free > 0)
            self.waiting -= 1
            self._free -= 1

    def leave(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify()


_PLACES: ContextVar[_Places | None] = ContextVar("places", default=None)
"""Of the lane that the call runs in."""
