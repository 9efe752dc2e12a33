"""A model on its device: batches in the order asked, halved when they are too big."""

import contextlib
import functools
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from encoders.errors import EncoderError

M = TypeVar("M", bound=nn.Module)
Item = TypeVar("Item")
Out = TypeVar("Out")

log = logging.getLogger(__name__)


@dataclass
class Runner(Generic[M]):
    """Runs a model whose inputs go to `device`; `batch_size` shrinks when memory runs out."""

    model: M
    device: torch.device
    batch_size: int

    @torch.inference_mode()
    def run(
        self, work: Callable[[M, torch.device, list[Item]], Out], items: Iterable[Item]
    ) -> list[Out]:
        """`work` over consecutive batches of `items`, its results in their order.

        A batch that runs out of memory gives several results, in order too.
        """
        with _current(self.device):
            return [part for batch in self._batches(items) for part in self._halving(work, batch)]

    def _batches(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        iterator = iter(items)
        while batch := list(itertools.islice(iterator, self.batch_size)):
            yield batch

    def _halving(
        self, work: Callable[[M, torch.device, list[Item]], Out], batch: list[Item]
    ) -> list[Out]:
        try:
            return [work(self.model, self.device, batch)]
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise EncoderError(
                    f"{self.device} has too little memory for a batch of one: free some, or use "
                    "another device"
                ) from error
        # outside of the handler, whose traceback keeps the failed batch's tensors alive
        half = (len(batch) + 1) // 2
        log.warning("out of memory on %s: going on with batches of %d", self.device, half)
        self.batch_size = min(self.batch_size, half)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return [*self._halving(work, batch[:half]), *self._halving(work, batch[half:])]


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
