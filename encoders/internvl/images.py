"""The image side of an encoder: resize on the CPU, vectors on the devices."""

import itertools
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from encoders.base import Pixels, RGBImage, Vectors, as_rgb
from encoders.internvl.float8 import SAMPLE, is_faithful, quantise, restore
from encoders.internvl.generate import present
from encoders.internvl.internvit import InternViT
from encoders.internvl.model import InternVL
from encoders.internvl.replicas import Replicas, send
from encoders.internvl.transforms import Transform, normalise, squash

THREADS = min(8, os.cpu_count() or 1)  # Pillow resizes outside of the interpreter lock


class ImageSide:
    """Images of any size to rows of `dims` (vector name -> dimension), in batches that fit."""

    def __init__(
        self,
        replicas: Replicas[InternVL] | Replicas[InternViT],
        dims: dict[str, int],
        size: int,
        *,
        float8: bool = False,
    ) -> None:
        """With `float8` the first 32 images, over all calls, decide whether 8-bit weights will do.

        Until then, and if not, it is bfloat16.
        """
        self._replicas: Replicas[InternVL | InternViT] = replicas  # type: ignore[assignment]
        self._dims = dims
        self._size = size
        self._undecided = float8
        self._sample: list[Pixels] = []
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resize")

    def preprocess(self, image: RGBImage, transform: Transform = squash) -> Pixels:
        """The model's square of one image, uint8 RGB `[size, size, 3]`. Thread-safe."""
        return np.asarray(transform(as_rgb(image), self._size))

    def preprocess_all(self, images: Sequence[RGBImage]) -> Iterable[Pixels]:
        """`preprocess` of each, in order, in a bounded number of threads."""
        return self._pool.map(self.preprocess, images)

    def encode(self, pixels: Iterable[Pixels], count: int) -> Vectors:
        """Rows `[count, dim]` per vector name, not normalised; it waits for the devices once."""
        if self._undecided:
            pixels = self._watched(pixels)
        vectors = self._embed_all(pixels, count)
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
        exact = self._embed_all(sample, SAMPLE)
        towers = [present(model.vision_model, "c") for model, _ in self._replicas.copies]
        replaced = [quantise(tower) for tower in towers]
        if not is_faithful(exact, self._embed_all(sample, SAMPLE)):
            for tower, linears in zip(towers, replaced, strict=True):
                restore(tower, linears)

    def _embed_all(self, pixels: Iterable[Pixels], count: int) -> dict[str, Tensor]:
        """Float32 rows `[count, dim]` on the CPU per vector name."""
        parts = self._replicas.run(self._embed, self._replicas.batches(pixels, count))
        return {
            name: torch.cat([torch.zeros(0, dim), *(part[name].cpu() for part in parts)])
            for name, dim in self._dims.items()
        }


def to_device(batch: Sequence[Pixels], device: torch.device) -> Tensor:
    """Pixels of a batch as one uint8 tensor `[n, size, size, 3]`."""
    return send(torch.from_numpy(np.stack(batch)), device)
