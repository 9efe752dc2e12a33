"""Images to the model's square, equal to the public protocols; pixels to normalised tensors.

All three resize with PIL's bicubic filter, as the public preprocessing does. Values are scaled on
the device: what travels there is bytes, a quarter of the floats.

Torch is imported when first needed: processes that only resize start in a tenth of the time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from encoders.base import Pixels, RGBImage, Use, as_rgb
from encoders.errors import InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
MAX_ASPECT = 100  # a side this much longer than the other: resizing the short one would explode

Transform = Callable[[Image.Image, int], Image.Image]
"""An RGB image of any size and a side in pixels -> a square image of that side."""


@dataclass(frozen=True)
class Square:
    """Preprocessing to uint8 RGB `[size, size, 3]`, each use by its public protocol."""

    size: int

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:
        """See `Preprocess`."""
        return np.asarray(TRANSFORMS[use](as_rgb(image), self.size))


def squash(image: Image.Image, size: int) -> Image.Image:
    """Both sides to `size`, whatever the shape: the protocol of the published retrieval numbers."""
    return image.resize((size, size), Image.Resampling.BICUBIC)


def crop(image: Image.Image, size: int) -> Image.Image:
    """Short side to `size`, then the centre: the classification protocol (rounds an odd margin)."""
    resized = _short_side(image, size)
    return _window(
        resized, size, round((resized.width - size) / 2), round((resized.height - size) / 2)
    )


def processor_crop(image: Image.Image, size: int) -> Image.Image:
    """As `crop`, but an odd margin is floored, as CLIP's processor does: for video frames."""
    resized = _short_side(image, size)
    return _window(resized, size, (resized.width - size) // 2, (resized.height - size) // 2)


TRANSFORMS: Mapping[Use, Transform] = {"search": squash, "frame": processor_crop, "class": crop}


def normalise(pixels: "Tensor") -> "Tensor":
    """uint8 RGB `[n, size, size, 3]` -> float32 `[n, 3, size, size]`, ImageNet's mean and std."""
    import torch

    colours = zip(pixels.unbind(-1), MEAN, STD, strict=True)  # numbers, not tensors: no transfer
    return torch.stack([(values.float() / 255 - mean) / std for values, mean, std in colours], 1)


def _short_side(image: Image.Image, size: int) -> Image.Image:
    """The short side to `size`, the long one in proportion, rounded down."""
    short = min(image.size)
    if max(image.size) > MAX_ASPECT * short:
        raise InvalidInput(
            f"the image is {image.width} x {image.height} pixels: one side is more than "
            f"{MAX_ASPECT} times the other"
        )
    width, height = (int(size * side / short) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _window(image: Image.Image, size: int, left: int, top: int) -> Image.Image:
    return image.crop((left, top, left + size, top + size))
