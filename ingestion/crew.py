"""The processes that decode, as the pipeline uses them.

They start when first needed, are replaced when they die, and stay for a while for the next
ingestion. They communicate through socket pairs; only small arrays cross.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Pipe
from pathlib import Path

from ingestion.errors import DecoderLost, DecoderUnfit
from ingestion.messages import (
    Answer,
    Decide,
    Described,
    Looked,
    Refused,
    Rest,
    Setup,
    Task,
    Unfit,
)
from ingestion.pipes import Stopped

# `putenv`: libraries that would start a thread for each core ask the system, not Python.
BOOT = (
    "import os, sys; os.putenv('OMP_NUM_THREADS', '1'); sys.path[:] = sys.argv[2:]; "
    "from ingestion.worker import main; main(int(sys.argv[1]))"
)
LAST_SECONDS = 5.0  # for a process that let go of us to end by itself


class Crew:
    """The decoding processes of one ingestion."""

    def __init__(self, setup: Setup) -> None:
        """Raises `DecoderUnfit` for what cannot travel to another process."""
        self._setup = setup
        self._packed = _packed(setup)
        self._helpers: list[Helper] = []
        self._stopped = False

    @contextmanager
    def helper(self) -> Iterator["Helper"]:
        """One for the calling thread; raises `Stopped`."""
        helper = Helper(self._packed, self._setup.limits.max_seconds)
        self._helpers.append(helper)
        try:
            if self._stopped:
                raise Stopped
            yield helper
        finally:
            helper.rest()

    def stop(self) -> None:
        """Make every caller that waits for a process, or will, raise `Stopped`."""
        self._stopped = True
        for helper in self._helpers:
            helper.stop()


class Helper:
    """Reads files in a separate process, for one thread."""

    def __init__(self, setup: bytes, max_seconds: float) -> None:
        """`setup` is a pickled `Setup`, `max_seconds` as its limits have it."""
        self._setup = setup
        self._max_seconds = max_seconds
        self._process: Process | None = None
        self._stopped = False

    def read(self, path: Path, decide: Decide) -> Iterator[Answer]:
        """As `ingestion.reading.Reader.read`.

        Raises `DecoderLost` if the file kills the process, `DecoderUnfit` if no process can be
        started, and `Stopped`. Leaving before the end costs the process.
        """
        process = self._engaged()
        try:
            yield from process.read(path, decide)
        except (EOFError, OSError):
            self._process = None
            if self._stopped:
                raise Stopped from None
            raise DecoderLost(self._obituary(process.end())) from None
        except BaseException:
            self._process = None
            process.kill()
            raise

    def rest(self) -> None:
        """Leave the process to others."""
        if self._process is not None and not self._stopped:
            self._process.rest()
            _idle.append(self._process)
            self._process = None

    def stop(self) -> None:
        """Kill the process, whatever it is doing."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def _engaged(self) -> "Process":
        while self._process is None:
            process, is_new = _found()
            self._process = process
            try:
                process.set_up(self._setup)
            except (EOFError, OSError):
                self._process = None
                process.end()
                if is_new and not self._stopped:
                    raise DecoderUnfit("cannot start a decoding process") from None
            if self._stopped:
                process.kill()
                raise Stopped
        return self._process

    def _obituary(self, code: int) -> str:
        match -code:
            case signal.SIGALRM:
                return f"decoding made no progress for {self._max_seconds:g} s and was stopped"
            case signal.SIGKILL:
                return "the process decoding it was killed: it may take more memory than there is"
            case number if number > 0:
                return f"the decoder crashed on it ({signal.Signals(number).name})"
        return f"the decoder ended on it (exit code {code})"


class Process:
    """A running `ingestion.worker`."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-c", BOOT, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def set_up(self, setup: bytes) -> None:
        """Raises `DecoderUnfit` where it cannot preprocess for the encoder."""
        self._connection.send_bytes(setup)
        answer = self._connection.recv()
        if isinstance(answer, Unfit):
            self.kill()
            raise _unfit(answer.reason)

    def read(self, path: Path, decide: Decide) -> Iterator[Answer]:
        """Raises `EOFError` or `OSError` where the process dies."""
        self._connection.send(Task(path))
        while True:
            answer = self._connection.recv()
            if isinstance(answer, Looked):
                self._connection.send(decide(answer))
                continue
            yield answer
            if isinstance(answer, Described | Refused):
                return

    def rest(self) -> None:
        with suppress(OSError):  # dead: whoever wants it next will see
            self._connection.send(Rest())

    def kill(self) -> None:
        self._child.kill()
        self.end()

    def end(self) -> int:
        """Wait until it is dead; the exit code, negative for a signal."""
        try:
            return self._child.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()


def _packed(setup: Setup) -> bytes:
    try:
        return pickle.dumps(setup)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise _unfit(str(error)) from error


def _unfit(reason: str) -> DecoderUnfit:
    return DecoderUnfit(
        "this encoder's preprocessing, which runs in processes of its own, "
        f"must be in a module that can be imported ({reason})"
    )


_idle: list[Process] = []


def _found() -> tuple[Process, bool]:
    """A process that rests, or a new one; whether it is new."""
    with suppress(IndexError):
        return _idle.pop(), False
    return Process(), True


def dismiss() -> None:
    """End the idle processes that are kept for the next ingestion."""
    while _idle:
        _idle.pop().kill()


atexit.register(dismiss)
os.register_at_fork(after_in_child=_idle.clear)
