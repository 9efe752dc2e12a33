"""The decoding process: whatever a file does to it, nothing else is harmed.

Started by `ingestion.crew`; it ends when the process that started it does.
"""

import resource
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from ingestion import heartbeat
from ingestion.messages import Looked, Order, Ready, Rest, Setup, Task, Unfit
from ingestion.reading import Reader

BASE_MEMORY = 2 << 30  # bytes, beside what the largest picture takes
PIXEL_MEMORY = 16  # bytes for each pixel of the largest picture


def main(descriptor: int) -> None:
    """Answer on the connection of this number until the other side lets go of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process to answer
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError, OSError), Connection(descriptor) as connection:
        try:
            _serve(connection)
        except Exception as error:  # noqa: BLE001 - an encoder that this process cannot import
            connection.send(Unfit(f"{type(error).__name__}: {error}"))


def _serve(connection: Connection) -> None:
    reader: Reader | None = None
    while True:
        match connection.recv():
            case Setup() as setup:
                _limit_memory(setup.limits.max_pixels)
                reader = Reader(setup)
                connection.send(Ready())
            case Task(path) if reader is not None:
                _read(connection, reader, path)
            case Rest(seconds) if not connection.poll(seconds):
                return


def _read(connection: Connection, reader: Reader, path: Path) -> None:
    """All that is said of one file. Waiting for the other side does not count as its time."""

    def decide(looked: Looked) -> Order:
        heartbeat.start(0)
        connection.send(looked)
        order: Order = connection.recv()
        heartbeat.start(reader.max_seconds)
        return order

    heartbeat.start(reader.max_seconds)
    for answer in reader.read(path, decide):
        heartbeat.start(0)
        connection.send(answer)
        heartbeat.start(reader.max_seconds)
    heartbeat.start(0)


def _limit_memory(max_pixels: int) -> None:
    """Make this process the first to run out of memory, and leave no core file behind."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = BASE_MEMORY + PIXEL_MEMORY * max_pixels
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
