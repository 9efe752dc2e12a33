"""Forks: no SQLite connection may be open while the process forks.

SQLite keeps account of its file locks in the process's memory. A child inherits the account but not
the locks, so that even new connections of the child would rely on locks that nobody holds.
"""

import os
import threading
import weakref
from typing import Protocol


class Forked(Protocol):
    """An object that must be at rest while the process forks."""

    def before_fork(self) -> None:
        """Wait for what is going on, close connections, and let nothing begin."""
        ...

    def after_fork(self, *, in_child: bool) -> None:
        """Go on, in the parent with what there was, in the child from the beginning."""
        ...


_lock = threading.Lock()
_known: "weakref.WeakSet[Forked]" = weakref.WeakSet()
_resting: list[Forked] = []


def heed_forks(thing: Forked) -> None:
    """Tell the object of every fork for as long as it lives."""
    with _lock:
        _known.add(thing)


def _before() -> None:
    _lock.acquire()  # released after the fork, in both processes
    for thing in list(_known):
        thing.before_fork()
        _resting.append(thing)


def _after(*, in_child: bool) -> None:
    while _resting:
        _resting.pop().after_fork(in_child=in_child)
    _lock.release()


os.register_at_fork(
    before=_before,
    after_in_parent=lambda: _after(in_child=False),
    after_in_child=lambda: _after(in_child=True),
)
