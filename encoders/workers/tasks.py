"""The task queue of an encoder's workers, which outlives any of them."""

import threading
import time
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from encoders.errors import EncoderError

Call = tuple[str, tuple[object, ...], dict[str, object]]
MOST_DEATHS = 2  # workers that one task may take down before it is given up


@dataclass(eq=False)
class Task:
    """A call of an encoder (method, arguments, keyword arguments), and where its answer goes."""

    call: Call
    answer: "Future[Any]" = field(default_factory=Future)
    holders: set[Hashable] = field(default_factory=set)
    started: float = 0.0
    dead: set[Hashable] = field(default_factory=set)


class TaskQueue:
    """Tasks for whoever is free.

    One that a worker died over goes back to the front. One that a worker sits on for more than
    `patience` seconds goes to another one too, when that has nothing else to do: the first answer
    counts.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: deque[Task] = deque()
        self._running: list[Task] = []
        self._closed: Exception | None = None
        self._changed = threading.Condition()

    @property
    def closed(self) -> bool:
        return self._closed is not None

    def put(self, task: Task) -> None:
        """Raises what the queue was closed with."""
        with self._changed:
            if self._closed:
                raise self._closed
            self._waiting.append(task)
            self._changed.notify()

    def take(self, worker: Hashable) -> Task | None:
        """Waits for something to do; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                task = self._waiting.popleft() if self._waiting else self._late(worker)
                if task:
                    task.started = time.monotonic()
                    task.holders.add(worker)
                    self._running += [task] if task not in self._running else []
                    return task
                self._changed.wait(self._patience / 4 if self._running else None)
        return None

    def finish(self, task: Task, answer: object) -> None:
        """The answer of a task, an exception for one that failed; further answers are ignored."""
        with self._changed:
            if task not in self._running:
                return
            self._running.remove(task)
        if isinstance(answer, Exception):
            task.answer.set_exception(answer)
        else:
            task.answer.set_result(answer)

    def bury(self, task: Task, worker: Hashable) -> None:
        """A worker died over a task, which goes back unless it is to blame or in other hands."""
        with self._changed:
            task.holders.discard(worker)
            task.dead.add(worker)
            given_up = len(task.dead) >= MOST_DEATHS
            if task not in self._running or (task.holders and not given_up):
                return
            if not given_up:
                self._running.remove(task)
                self._waiting.appendleft(task)
                self._changed.notify()
                return
        self.finish(task, EncoderError(f"{MOST_DEATHS} worker processes died over one batch"))

    def close(self, error: Exception) -> None:
        """Let everybody go: workers with None, whoever waits for an answer with `error`."""
        with self._changed:
            self._closed = self._closed or error
            left = [*self._waiting, *self._running]
            self._waiting.clear()
            self._running.clear()
            self._changed.notify_all()
        for task in left:
            task.answer.set_exception(error)

    def _late(self, worker: Hashable) -> Task | None:
        overdue = time.monotonic() - self._patience
        others = (task for task in self._running if worker not in task.holders)
        return next((task for task in others if task.started < overdue), None)
