"""Keep blocking work off the event loop, and refuse it when too much waits."""

from collections.abc import Callable
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

    Separate lanes keep a page full of thumbnails, or an upload, from holding up searches.
    """

    def __init__(self, threads: int, waiting: int = 256) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._waiting = waiting

    @property
    def waiting(self) -> int:
        """Calls in line."""
        return self._limiter.statistics().tasks_waiting

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result, or what it raises; raises `Overloaded` when the line is full."""
        if self.waiting >= self._waiting:
            raise Overloaded("the service has more work than it can queue: try again shortly")
        return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)
