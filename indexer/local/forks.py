"""What a forked child does with the objects it inherited."""

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """An object with state that must not cross a fork."""

    def after_fork(self) -> None:
        """Called in the child, while it has one thread: give up what belongs to the parent."""
        ...


_known: "weakref.WeakSet[Forked]" = weakref.WeakSet()


def tell_forks(thing: Forked) -> None:
    """Have `after_fork` called in every forked child for as long as the object lives."""
    _known.add(thing)


def _after_fork() -> None:
    for thing in list(_known):
        thing.after_fork()


os.register_at_fork(after_in_child=_after_fork)
