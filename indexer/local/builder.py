"""Seal in a child process, whose memory and crashes do not affect the process that started it.

Like any other process, the child opens the collection, builds, and publishes. Killed at any moment,
it loses only its work. It ends when the process that started it does.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from indexer.errors import IndexerError, StorageError
from indexer.local.engine import Engine
from indexer.local.options import IndexOptions
from indexer.local.seal import Busy, seal, unsealed

log = logging.getLogger("polylens")

# Ctrl-C is for the other process to answer.
BOOT = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = sys.argv[2:]; "
    "from indexer.local.builder import main; main(int(sys.argv[1]))"
)
_PAUSE = 0.2
"""Seconds between two looks at whether another process has done sealing."""
_EXPENDABLE = 500
"""Thousandths of the memory, added to what Linux sees when it must end a process."""


@dataclass(frozen=True)
class Order:
    """The collection in `folder` to seal, and how; `lock_timeout` is in seconds."""

    folder: Path
    lock_timeout: float
    options: IndexOptions


@dataclass(frozen=True)
class Said:
    """What goes to the log."""

    level: int
    text: str


class Builder:
    """A process that seals one collection, as whoever started it sees it."""

    def __init__(self, order: Order) -> None:
        """Raises `StorageError` where no process can be started."""
        self._order = order
        self._connection, theirs = Pipe()
        with theirs:
            try:
                self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
                    [sys.executable, "-c", BOOT, str(theirs.fileno()), *sys.path],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            except OSError as error:
                self._connection.close()
                raise StorageError(f"no process to seal in can be started: {error}") from error

    def tails(self) -> Iterator[int]:
        """How many vectors are left after each step, as `unsealed`; raises `IndexerError`."""
        try:
            with self._connection:
                self._connection.send(self._order)
                while True:
                    match self._connection.recv():
                        case int(tail):
                            yield tail
                        case Said(level, text):
                            log.log(level, "%s", text)
                        case IndexerError() as error:
                            raise error
        except (EOFError, OSError):
            if code := self._child.wait():
                raise StorageError(_obituary(code)) from None
        finally:
            self._child.wait()

    def kill(self) -> None:
        """Whatever it is at; safe from any thread, at any time."""
        self._child.kill()


def main(descriptor: int) -> None:
    """Seal for a `Builder` at the other end of the connection of this number."""
    with Connection(descriptor) as connection:
        order: Order = connection.recv()
        threading.Thread(target=_end_with, args=[connection], daemon=True).start()
        log.addHandler(_Teller(connection))
        log.setLevel(logging.INFO)
        try:
            _go_first()
            with closing(Engine(order.folder, order.lock_timeout)) as engine:
                for tail in _seal(engine, order.options):
                    connection.send(tail)
        except IndexerError as error:
            connection.send(error)
        except Exception:
            log.exception("sealing failed")
            sys.exit(1)


def _seal(engine: Engine, options: IndexOptions) -> Iterator[int]:
    """Do all that is due; what is left after each step."""
    for name in options.names(engine.schema().vectors):
        while True:
            try:
                goes_on = seal(engine, name, options)
            except Busy:
                time.sleep(_PAUSE)
                continue
            with engine.snapshot() as snapshot:
                yield unsealed(snapshot, options)
            if not goes_on:
                break


def _end_with(connection: Connection) -> None:
    """End at once when the other side lets go of the connection, on which it says no more."""
    with suppress(EOFError, OSError):
        connection.recv()
    os._exit(1)


def _go_first() -> None:
    """Be what the system ends where memory runs out (Linux), not the process that writes."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_EXPENDABLE))


class _Teller(logging.Handler):
    """Sends what is logged to the other side."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        self._connection.send(Said(record.levelno, self.format(record)))


def _obituary(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the process at it was killed: it may take more memory than there is"
    if code < 0:
        return f"the process at it crashed ({signal.Signals(-code).name})"
    return f"the process at it ended (exit code {code})"
