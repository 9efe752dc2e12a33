"""Whether the process of a job still lives."""

import fcntl
import os
from pathlib import Path


class JobLock:
    """An flock that a job's process holds: the system lets go of it, however that ends.

    Its file is removed by none but who holds its lock, so that nobody holds one of another file.
    """

    def __init__(self, folder: Path, job: int) -> None:
        self.job = job
        self._path = folder / "jobs" / f"{job}.lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Waits for who looks whether it is held."""
        self._path.parent.mkdir(exist_ok=True)
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._is_of(descriptor):
                self._descriptor = descriptor
                return
            os.close(descriptor)

    def release(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """By anyone; what a dead process left behind is removed."""
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_of(descriptor):
                self._path.unlink()
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _is_of(self, descriptor: int) -> bool:
        """Whether what was opened is still the file of that name."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False
