"""Limit open connections: the one idle longest makes room for a new one."""

import resource
from typing import Protocol

MOST_FILES = 10_240  # macOS allows no process more


class Connected(Protocol):
    """One of them."""

    def dismiss(self) -> None:
        """Close it: it is idle, and another needs its place."""


class ConnectionLimit:
    """At most `most` connections of one process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connected] = set()
        self._idle: dict[Connected, None] = {}  # in the order in which they became so

    def opened(self, connection: Connected) -> None:
        """There is a new one: it may have to go itself, where all others are at work."""
        self._open.add(connection)
        self.rests(connection)
        if len(self._open) > self._most:
            longest = next(iter(self._idle))
            self.closed(longest)
            longest.dismiss()

    def works(self, connection: Connected) -> None:
        """A request came: it stays until that is answered."""
        self._idle.pop(connection, None)

    def rests(self, connection: Connected) -> None:
        """It waits for a request."""
        if connection in self._open:
            self._idle[connection] = None

    def closed(self, connection: Connected) -> None:
        """It is no more."""
        self._open.discard(connection)
        self._idle.pop(connection, None)


def connection_limit(most: int) -> ConnectionLimit:
    """Of `most`, or of so many that half of the files a process may open are left to the rest.

    Each is an open file, of which most systems allow 1,024 until a process asks for more, as here.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return ConnectionLimit(min(most, max(soft, allowed) // 2))
