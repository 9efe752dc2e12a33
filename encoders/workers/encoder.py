"""An encoder on several devices behind the protocol of one."""

import atexit
import logging
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from encoders.base import Ability, Pixels, Preprocess, RGBImage, Vectors, require_texts, unit
from encoders.errors import InvalidInput, TowerNotLoaded
from encoders.registry import LoadOptions
from encoders.workers.pool import WorkerPool
from encoders.workers.process import LANES
from encoders.workers.tasks import Task

T = TypeVar("T")
PATIENCE = 120.0  # seconds after which a task that is not answered is tried elsewhere too
RESTARTS = 3  # of each device's process, before it is given up
TEXTS = 256  # in one task
PAIRS = 16  # images that one task matches or captions
THREADS = min(8, os.cpu_count() or 1)  # that preprocess, outside of the interpreter lock

log = logging.getLogger(__name__)


class WorkerEncoder:
    """The same encoder on every device of a list, each in a process of its own.

    This process holds no weights. All workers take from one queue; what a worker dies over, or does
    not answer in time, goes to another, and the dead are replaced. Scripts that make one need the
    `if __name__ == "__main__"` that Python asks for wherever processes are spawned.
    """

    def __init__(
        self,
        name: str,
        options: LoadOptions,
        *,
        patience: float = PATIENCE,
        restarts: int = RESTARTS,
    ) -> None:
        """`options.device` is the list, e.g. "cuda:0,cuda:1"; a device may be named twice.

        Raises what `load_encoder` raises, on whichever device it does.
        """
        devices = [device.strip() for device in (options.device or "").split(",")]
        self._pool = WorkerPool(name, options, devices, patience=patience, restarts=restarts)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="preprocess")
        self._count = len(devices)
        ready = self._pool.ready
        self._preprocess = ready.preprocess
        self._share = ready.info.batch_size
        self.info = replace(ready.info, batch_size=LANES * self._count * self._share)
        atexit.register(self.close)

    @property
    def deaths(self) -> int:
        """How many processes died so far."""
        return self._pool.deaths

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """See `Encoder.encode_texts`."""
        require_texts(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together
        shares = self._shares([texts[i] for i in order], TEXTS)
        rows = self._joined(self._call("encode_texts", share) for share in shares)
        back = np.argsort(order)
        return {name: row[back] if texts else row for name, row in rows.items()}

    @property
    def preprocess(self) -> Preprocess:
        """See `Encoder.preprocess`; it runs in this process."""
        if self._preprocess is None:
            raise TowerNotLoaded(self.info.name, "image")
        return self._preprocess

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """See `Encoder.encode_pixels`."""
        shares = self._shares(pixels, self._share)
        rows = self._joined(self._call("encode_pixels", share, normalize=False) for share in shares)
        return {name: unit(row) if normalize else row for name, row in rows.items()}

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """See `Encoder.encode_images`."""
        return self.encode_pixels(
            [*self._threads.map(self.preprocess, images)], normalize=normalize
        )

    def match(self, images: Sequence[RGBImage], texts: Sequence[str]) -> NDArray[np.float32]:
        """See `InternVLEncoder.match`."""
        self._require("match")
        if len(images) != len(texts):
            raise InvalidInput(f"{len(images)} images and {len(texts)} texts do not make pairs")
        shares = zip(self._shares(images, PAIRS), self._shares(texts, PAIRS), strict=True)
        tasks = [self._call("match", *share) for share in shares]
        return np.concatenate([np.zeros(0, np.float32), *(task.answer.result() for task in tasks)])

    def caption(self, images: Sequence[RGBImage], *how: object) -> list[str]:
        """See `InternVLEncoder.caption`."""
        self._require("caption")
        tasks = [self._call("caption", share, *how) for share in self._shares(images, PAIRS)]
        return [text for task in tasks for text in task.answer.result()]

    def close(self) -> None:
        """End the processes; whoever waits for an answer gets an error."""
        atexit.unregister(self.close)
        self._pool.close()
        self._threads.shutdown()

    def _shares(self, items: Sequence[T], most: int) -> list[Sequence[T]]:
        """Consecutive shares of at most `most`, at least as many as workers where there are."""
        step = max(1, min(most, math.ceil(len(items) / self._count)))
        return [items[start : start + step] for start in range(0, len(items), step)]

    def _call(self, method: str, *args: object, **options: object) -> Task:
        task = Task((method, args, options))
        self._pool.put(task)
        return task

    def _joined(self, tasks: Iterable[Task]) -> Vectors:
        """The rows of all tasks, in their order, per vector name."""
        parts: list[dict[str, Any]] = [task.answer.result() for task in [*tasks]]
        return {
            name: np.concatenate([np.zeros((0, dim), np.float32), *(part[name] for part in parts)])
            for name, dim in self.info.vectors.items()
        }

    def _require(self, ability: Ability) -> None:
        if ability not in self.info.abilities:
            raise InvalidInput(f"{self.info.name} cannot {ability} images, as it was loaded")
