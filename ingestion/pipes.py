"""Bounded queues between the threads of a pipeline, all closed together."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The pipeline is shutting down: return from the thread."""


class Finished(Exception):
    """All producers have finished."""


class Pipe(Generic[T]):
    """A queue of at most `size` things from a known number of `producers`."""

    def __init__(self, size: int, producers: int = 1) -> None:
        self._size = size
        self._producers = producers
        self._things: deque[T] = deque()
        self._stopped = False
        self._changed = threading.Condition()

    def put(self, thing: T) -> None:
        """Waits while the pipe is full; raises `Stopped`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or len(self._things) < self._size)
            self._check()
            self._things.append(thing)
            self._changed.notify_all()

    def get(self) -> T:
        """The next thing; raises `Finished` or `Stopped`."""
        with self._changed:
            self._changed.wait_for(self._has_news)
            return self._pop()

    def poll(self, timeout: float) -> T | None:
        """The next thing, or None after `timeout` seconds; raises `Finished` or `Stopped`."""
        with self._changed:
            return self._pop() if self._changed.wait_for(self._has_news, timeout) else None

    def finish(self) -> None:
        """One producer puts no more."""
        with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Make every caller, waiting or yet to come, raise `Stopped`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _has_news(self) -> bool:
        return self._stopped or bool(self._things) or not self._producers

    def _pop(self) -> T:
        self._check()
        if not self._things:
            raise Finished
        self._changed.notify_all()
        return self._things.popleft()

    def _check(self) -> None:
        if self._stopped:
            raise Stopped


class Window:
    """A budget of bytes: whatever is taken must be given back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._stopped = False
        self._turn = threading.Lock()  # first come, first served: a large request is not starved
        self._changed = threading.Condition()

    def take(self, count: int) -> float:
        """Waits for room, or until nothing is taken where `count` alone exceeds the budget.

        Returns the seconds it waited; raises `Stopped`.
        """
        start = time.perf_counter()
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._stopped or self._fits(count))
            if self._stopped:
                raise Stopped
            self._taken += count
        return time.perf_counter() - start

    def give_back(self, count: int) -> None:
        """Return what was taken."""
        with self._changed:
            self._taken -= count
            self._changed.notify_all()

    def stop(self) -> None:
        """Make every caller of `take` raise `Stopped`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return self._taken == 0 or self._taken + count <= self._size
