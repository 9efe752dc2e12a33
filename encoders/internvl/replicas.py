"""One model on several devices: batches from one queue, in the order asked, halved when too big."""

import contextlib
import functools
import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from encoders.errors import EncoderError

M = TypeVar("M", bound=nn.Module)
Item = TypeVar("Item")
Out = TypeVar("Out")

log = logging.getLogger(__name__)


@dataclass
class Replicas(Generic[M]):
    """Copies of a model, one per device (a device may hold two), each with a thread of its own.

    Threads, not processes: a forward pass is a few hundred long kernels, during which Python waits.
    `batch_size` is what fits: it shrinks when a device runs out of memory.
    """

    copies: Sequence[tuple[M, torch.device]]
    batch_size: int
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def batches(self, items: Iterable[Item], count: int) -> Iterator[list[Item]]:
        """Consecutive groups of at most `batch_size` of `count` items, enough for every device."""
        share = math.ceil(count / len(self.copies))
        batch: list[Item] = []
        for item in items:
            batch.append(item)
            if len(batch) >= min(self.batch_size, share):
                yield batch
                batch = []
        if batch:
            yield batch

    def run(
        self, work: Callable[[M, torch.device, list[Item]], Out], batches: Iterable[list[Item]]
    ) -> list[Out]:
        """`work` over all batches, free devices taking the next; results in the batches' order.

        A batch that runs out of memory gives several results, in order too. The first error of any
        device is raised.
        """
        queue = enumerate(batches)
        done: dict[int, list[Out]] = {}
        failed = threading.Event()

        def serve(copy: tuple[M, torch.device]) -> None:
            try:
                with torch.inference_mode(), _current(copy[1]):
                    while not failed.is_set() and (job := self._next(queue)) is not None:
                        done[job[0]] = self._halving(work, copy, job[1])
            except BaseException:
                failed.set()  # the other devices stop after the batch they are at
                raise

        if len(self.copies) == 1:
            serve(self.copies[0])
        else:
            with ThreadPoolExecutor(len(self.copies)) as pool:
                list(pool.map(serve, self.copies))
        return [part for index in sorted(done) for part in done[index]]

    def _next(self, queue: Iterator[tuple[int, list[Item]]]) -> tuple[int, list[Item]] | None:
        with self._lock:
            return next(queue, None)

    def _halving(
        self,
        work: Callable[[M, torch.device, list[Item]], Out],
        copy: tuple[M, torch.device],
        batch: list[Item],
    ) -> list[Out]:
        try:
            return [work(*copy, batch)]
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise EncoderError(
                    f"{copy[1]} has too little memory for a batch of one: free some, or use "
                    "another device"
                ) from error
        # outside of the handler, whose traceback keeps the failed batch's tensors alive
        half = (len(batch) + 1) // 2
        log.warning("out of memory on %s: going on with batches of %d", copy[1], half)
        self.batch_size = min(self.batch_size, half)
        if copy[1].type == "cuda":
            torch.cuda.empty_cache()
        return [*self._halving(work, copy, batch[:half]), *self._halving(work, copy, batch[half:])]


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor on `device`; a GPU copies it from pinned memory while the last batch computes.

    Nobody waits but the kernels queued after this call, and they only for the copy.
    """
    if device.type != "cuda":
        return tensor.to(device)
    computing, copying = torch.cuda.current_stream(device), _copy_stream(device)
    with torch.cuda.stream(copying):
        sent = tensor.pin_memory().to(device, non_blocking=True)
    computing.wait_stream(copying)
    sent.record_stream(computing)  # else its memory could be reused while kernels still read it
    return sent


@functools.cache
def _copy_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream of all copies to a GPU."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _current(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The device that kernels without a device of their own are launched on."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
