"""The image side of an encoder: resize on the CPU, vectors on the devices."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from encoders.base import Pixels, RGBImage, Vectors
from encoders.internvl.float8 import SAMPLE, is_faithful, quantise, restore
from encoders.internvl.generate import present
from encoders.internvl.internvit import InternViT
from encoders.internvl.model import InternVL
from encoders.internvl.runner import Runner, send
from encoders.internvl.transforms import Square, normalise

THREADS = min(8, os.cpu_count() or 1)  # Pillow resizes outside of the interpreter lock


class ImageSide:
    """Images of any size to rows of `dims` (vector name -> dimension), in batches that fit."""

    def __init__(
        self,
        runner: Runner[InternVL] | Runner[InternViT],
        dims: Mapping[str, int],
        size: int,
        *,
        float8: bool = False,
    ) -> None:
        """With `float8` the first 32 images, over all calls, decide whether 8-bit weights will do.

        Until then, and if not, it is bfloat16.
        """
        self._runner: Runner[InternVL | InternViT] = runner  # type: ignore[assignment]
        self._dims = dims
        self._undecided = float8
        self._sample: list[Pixels] = []
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resize")
        self.preprocess = Square(size)

    def preprocess_all(self, images: Sequence[RGBImage]) -> Iterable[Pixels]:
        """`preprocess` of each, in order, in a bounded number of threads."""
        return self._pool.map(self.preprocess, images)

    def encode(self, pixels: Iterable[Pixels]) -> Vectors:
        """Rows `[count, dim]` per vector name, not normalised; it waits for the device once."""
        if self._undecided:
            pixels = self._watched(pixels)
        vectors = self._embed_all(pixels)
        return {name: rows.numpy() for name, rows in vectors.items()}

    def _embed(
        self, model: InternVL | InternViT, device: torch.device, batch: Sequence[Pixels]
    ) -> dict[str, Tensor]:
        return model.embed_images(normalise(to_device(batch, device)), self._dims)

    def _watched(self, pixels: Iterable[Pixels]) -> Iterable[Pixels]:
        """The same pixels; those the sample lacks join it, and when it is full it decides."""
        pixels = iter(pixels)
        first = list(itertools.islice(pixels, SAMPLE - len(self._sample)))
        self._sample += first
        if len(self._sample) == SAMPLE:
            self._decide(self._sample)
            self._undecided, self._sample = False, []
        return itertools.chain(first, pixels)

    def _decide(self, sample: list[Pixels]) -> None:
        """Go on with 8-bit weights if the sample's vectors stay where they are, else without."""
        exact = self._embed_all(sample)
        tower = present(self._runner.model.vision_model, "c")
        replaced = quantise(tower)
        if not is_faithful(exact, self._embed_all(sample)):
            restore(tower, replaced)

    def _embed_all(self, pixels: Iterable[Pixels]) -> dict[str, Tensor]:
        """Float32 rows `[count, dim]` on the CPU per vector name."""
        parts = self._runner.run(self._embed, pixels)
        return {
            name: torch.cat([torch.zeros(0, dim), *(part[name].cpu() for part in parts)])
            for name, dim in self._dims.items()
        }


def to_device(batch: Sequence[Pixels], device: torch.device) -> Tensor:
    """Pixels of a batch as one uint8 tensor `[n, size, size, 3]`."""
    return send(torch.from_numpy(np.stack(batch)), device)
