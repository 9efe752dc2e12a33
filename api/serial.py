"""One encoder shared by many threads."""

import threading
from collections.abc import Sequence

from encoders import Encoder, EncoderInfo, Pixels, Preprocess, RGBImage, Vectors


class SerialEncoder:
    """Lets one thread at a time onto the device, as encoders ask; preprocessing stays parallel."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._device = threading.Lock()

    @property
    def info(self) -> EncoderInfo:
        return self._encoder.info

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        with self._device:
            return self._encoder.encode_texts(texts)

    @property
    def preprocess(self) -> Preprocess:
        return self._encoder.preprocess

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        with self._device:
            return self._encoder.encode_pixels(pixels, normalize=normalize)

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)
