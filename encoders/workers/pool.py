"""The worker processes of an encoder: start them, give them tasks, replace dead ones."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection

from encoders.errors import EncoderError, ModelUnavailable
from encoders.registry import LoadOptions
from encoders.workers.process import Ready, Worker, WorkerDied
from encoders.workers.tasks import Task, TaskQueue

log = logging.getLogger(__name__)


class WorkerPool:
    """A process for each device, all taking from one queue.

    A process that dies gives back what it held and is replaced, `restarts` times for each device.
    When none is left, every task fails with `ModelUnavailable`.
    """

    def __init__(
        self,
        name: str,
        options: LoadOptions,
        devices: Sequence[str],
        *,
        patience: float,
        restarts: int,
    ) -> None:
        """Raises what `load_encoder` raises, on whichever device it does."""
        self._name, self._options = name, options
        self._tasks = TaskQueue(patience)
        self._lock = threading.Lock()
        self._left = dict.fromkeys(range(len(devices)), restarts)
        self._hopes = len(devices)  # processes that work, or may again
        self.workers = [Worker(device) for device in devices]
        self.deaths = 0
        try:
            self.ready = self._load()
        except BaseException:
            self.close()
            raise
        for at, worker in enumerate(self.workers):
            self._employ(at, worker)

    def put(self, task: Task) -> None:
        """Raises what the pool was closed with."""
        self._tasks.put(task)

    def close(self) -> None:
        """End the processes; whoever waits for an answer gets an error."""
        with self._lock:
            self._tasks.close(EncoderError("the encoder was closed"))
            for worker in self.workers:
                worker.stop()

    def _load(self) -> Ready:
        """One first, which hashes the files and leaves them in the page cache; then the others."""
        first, *others = self.workers
        ready = self._load_on(first)
        with ThreadPoolExecutor(len(self.workers)) as pool:
            list(pool.map(self._load_on, others))
        return ready

    def _load_on(self, worker: Worker) -> Ready:
        return worker.load(self._name, replace(self._options, device=worker.device))

    def _employ(self, at: int, worker: Worker) -> None:
        for lane in worker.lanes:
            threading.Thread(target=self._serve, args=(at, worker, lane), daemon=True).start()

    def _serve(self, at: int, worker: Worker, lane: Connection) -> None:
        """Give tasks to one lane of the worker at that place, until either ends."""
        while task := self._tasks.take(worker):
            try:
                self._tasks.finish(task, worker.ask(lane, *task.call))
            except WorkerDied as death:
                noticed = self._mourn(at, worker, death)
                self._tasks.bury(task, worker)
                if noticed:
                    self._replace(at, worker.device)
                return

    def _mourn(self, at: int, worker: Worker, death: WorkerDied) -> bool:
        """Whether this lane is the first to notice, and there is to be another try."""
        with self._lock:
            if self._tasks.closed or self.workers[at] is not worker or not worker.alive:
                return False
            worker.alive = False
            self.deaths += 1
            self._left[at] -= 1
            if self._left[at] >= 0:
                log.error("%s: starting another", death)
                return True
            self._give_up(f"{death}, and too often")
            return False

    def _replace(self, at: int, device: str) -> None:
        new = Worker(device)
        try:
            self._load_on(new)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            new.stop()
            with self._lock:
                self._give_up(f"the worker on {device} cannot be started again: {error}")
            return
        with self._lock:
            if self._tasks.closed:
                new.stop()
                return
            self.workers[at] = new
        self._employ(at, new)

    def _give_up(self, why: str) -> None:
        """Go on without one device; under the lock."""
        self._hopes -= 1
        if self._hopes:
            log.error("%s: going on with %d of %d", why, self._hopes, len(self.workers))
        else:
            self._tasks.close(ModelUnavailable(f"{why}, and no other is left: start again"))
