"""An encoder shared by several threads, one at a time on the device."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from encoders.base import Encoder, EncoderInfo, Pixels, Preprocess, RGBImage, Vectors


class EncoderInTurns:
    """Waits for `device`, however long, a batch at a time; preprocessing waits for nobody."""

    def __init__(self, encoder: Encoder, device: AbstractContextManager[Any]) -> None:
        self._encoder = encoder
        self._device = device

    @property
    def info(self) -> EncoderInfo:
        return self._encoder.info

    @property
    def preprocess(self) -> Preprocess:
        return self._encoder.preprocess

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        with self._device:
            return self._encoder.encode_texts(texts)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        with self._device:
            return self._encoder.encode_pixels(pixels, normalize=normalize)

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)
