"""A perceptual hash: pictures that look alike differ in few of its bits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32  # pixels of the grey thumbnail it is made of
LOW = 8  # frequencies kept in either direction
FLAT = 2.0  # of 255: deviation under which a picture has nothing to tell it by


def perceptual_hash(image: Image.Image) -> str:
    """64 bits as 16 hex digits, empty where the picture is all but one colour."""
    return hash_of(thumbnail(image))


def thumbnail(image: Image.Image) -> NDArray[np.int16]:
    """Grey, int16 `[32, 32]`, 0 to 255."""
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("L"), dtype=np.int16)


def hash_of(grey: NDArray[np.int16]) -> str:
    """That of a `thumbnail`: which of its 8 x 8 lowest frequencies are above their median.

    "pHash", after Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010.
    """
    if grey.std() < FLAT:
        return ""
    waves = WAVES @ grey @ WAVES.T
    return np.packbits(waves > np.median(waves)).tobytes().hex()


def _waves() -> NDArray[np.float64]:
    """The lowest rows of the discrete cosine transform, `[8, 32]`."""
    frequencies, places = np.arange(LOW)[:, None], np.arange(SIDE)[None]
    return np.cos(np.pi * frequencies * (places + 0.5) / SIDE)


WAVES = _waves()
