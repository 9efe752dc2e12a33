"""The first stage of a remote encoder: pictures encoded without loss for the server."""

import io
from dataclasses import dataclass
from typing import get_args

import numpy as np

from encoders.base import Pixels, RGBImage, Use, as_rgb

USES: tuple[Use, ...] = get_args(Use)
LEVEL = 1  # of compression: more costs more time than the bytes do


@dataclass(frozen=True)
class RemotePreprocess:
    """`side` is that of the square in pixels that the encoder sees."""

    side: int

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:
        """The use as one byte and the picture as PNG: uint8 `[n]`, of whatever length."""
        buffer = io.BytesIO(bytes([USES.index(use)]))
        buffer.seek(1)
        as_rgb(image).save(buffer, "PNG", compress_level=LEVEL)
        return np.frombuffer(buffer.getvalue(), np.uint8)
