"""The lock that one writer of a collection holds for one commit, across processes."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import CollectionBusy, StorageError, UnknownCollection

FILE = "lock"


class CommitLock:
    """An flock on a file in the collection's folder, which also tells whether it is still there.

    The file is opened anew for each commit, so that nobody else shares the lock; it says who holds
    it. `timeout` is in seconds.
    """

    def __init__(self, folder: Path, timeout: float) -> None:
        self._path = folder / FILE
        self._timeout = timeout
        self._held: int | None = None
        # Kept open, so that no other file can get its inode number.
        self._anchor = self._path.open("rb")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises `CollectionBusy`, or `UnknownCollection` when the collection was dropped."""
        self.check_in_place()
        self._held = descriptor = self._open()
        try:
            self._wait(descriptor)
            self.check_in_place()
            self._sign(descriptor)
            yield
        finally:
            # Unlocked before it is closed: a process forked meanwhile may have the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            self._held = None
            os.close(descriptor)

    def check_in_place(self) -> None:
        """Raises `UnknownCollection` when the folder is not the one that was opened."""
        if not self.in_place():
            name = self._path.parent.name
            raise UnknownCollection(f"collection {name!r} was dropped or closed while in use")

    def in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._anchor.fileno()))
        except (FileNotFoundError, ValueError):  # gone; or the anchor is closed
            return False

    def close(self) -> None:
        """Forget the file. In a forked child this also gives up a copy of the parent's lock."""
        self._anchor.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(
                f"cannot write to {self._path.parent}: {error.strerror}; the collection can only "
                "be read from here"
            ) from error

    def _wait(self, descriptor: int) -> None:
        if not wait(descriptor, fcntl.LOCK_EX, self._timeout):
            raise CollectionBusy(
                f"collection {self._path.parent.name!r} is being written by "
                f"{_holder(descriptor)}, for more than {self._timeout:g} s; try again"
            )

    @staticmethod
    def _sign(descriptor: int) -> None:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        # Information only: not synced, and padded so that nothing is left of a longer text.
        os.pwrite(descriptor, json.dumps(holder).ljust(256).encode(), 0)


@contextmanager
def folder_lock(folder: Path, mode: int, timeout: float = 0) -> Iterator[bool]:
    """Whether the flock on a folder, `LOCK_SH` or `LOCK_EX`, was had within `timeout` seconds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield wait(descriptor, mode, timeout)
    finally:
        # Unlocked before it is closed: a process forked meanwhile may have the folder open too.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def wait(descriptor: int, mode: int, timeout: float) -> bool:
    """Whether the flock was had within so many seconds."""
    deadline = time.monotonic() + timeout
    pause = 0.0005
    while not _locked(descriptor, mode):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
    return True


def _locked(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 256, 0))
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
