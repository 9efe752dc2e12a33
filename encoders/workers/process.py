"""A worker process with an encoder on one device: both ends of it."""

import multiprocessing
import os
import pickle
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from encoders.base import Encoder, EncoderInfo, Preprocess
from encoders.errors import EncoderError, TowerNotLoaded
from encoders.registry import LoadOptions, load_encoder
from encoders.workers.channel import receive, send
from encoders.workers.tasks import Call

LANES = 2  # tasks that a process holds: one travels while the other computes

SPAWN = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA


@dataclass(frozen=True)
class Ready:
    """What a process tells when its encoder is loaded; without an image tower no `preprocess`."""

    info: EncoderInfo
    preprocess: Preprocess | None


class Worker:
    """Our end. It dies with this process, whatever becomes of that."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.alive = True
        pairs = [SPAWN.Pipe() for _ in range(LANES)]
        self.lanes = [ours for ours, _ in pairs]
        self.process = SPAWN.Process(
            target=serve, args=([theirs for _, theirs in pairs],), daemon=True
        )
        self.process.start()
        for _, theirs in pairs:
            theirs.close()  # so that its end is noticed

    def load(self, name: str, options: LoadOptions) -> Ready:
        """Raises what `load_encoder` raises, and `WorkerDied`."""
        answer: Ready | Exception = self.ask(self.lanes[0], name, options)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, lane: Connection, *message: object) -> Any:  # noqa: ANN401 - the method's own
        """An answer, or the exception that the call raised; raises `WorkerDied`.

        Each lane is for one thread at a time.
        """
        try:
            send(lane, message)
            return receive(lane)
        except (EOFError, OSError) as error:
            raise WorkerDied(self.device, self.process.pid) from error

    def stop(self) -> None:
        """End the process, which has nothing to lose; threads waiting for it get `WorkerDied`."""
        self.process.kill()
        self.process.join()


class WorkerDied(EncoderError):
    """A process ended without an answer."""

    def __str__(self) -> str:
        device, pid = self.args
        return f"the worker process {pid} on {device} died (out of memory, perhaps)"


def serve(lanes: list[Connection]) -> None:
    """The other end: load what the first message names, then answer until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that asks
    try:
        name, options = receive(lanes[0])
        encoder = load_encoder(name, options)
        send(lanes[0], Ready(encoder.info, _preprocess(encoder)))
    except (EOFError, OSError):
        return
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        send(lanes[0], portable(error))
        return
    device = threading.Lock()
    threads = [threading.Thread(target=_answer, args=(lane, encoder, device)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:  # the main thread's end would be the end of every thread pool
        thread.join()


def _answer(lane: Connection, encoder: Encoder, device: threading.Lock) -> None:
    """Calls that come along one lane, one at a time on the device."""
    while True:
        try:
            call = receive(lane)
            send(lane, _perform(encoder, call, device))
        except (EOFError, OSError):
            return


def _perform(encoder: Encoder, call: Call, device: threading.Lock) -> object:
    method, args, options = call
    try:
        with device:
            return getattr(encoder, method)(*args, **options)
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        if is_fatal(error):
            os._exit(1)  # a new process gets on with the device; this one never will
        return portable(error)


def is_fatal(error: Exception) -> bool:
    """Whether a CUDA error has left this process's device unusable, all later calls included."""
    if type(error).__name__ == "OutOfMemoryError":
        return False
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error)


def portable(error: Exception) -> Exception:
    """The error itself if it survives the way, else one of the same words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:  # noqa: BLE001 - any class may do anything when pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _preprocess(encoder: Encoder) -> Preprocess | None:
    try:
        return encoder.preprocess
    except TowerNotLoaded:
        return None
