"""What most checkpoints' image processors do, with Pillow and NumPy alone.

Processes that only decode need neither torch nor `transformers` for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.base import Pixels, RGBImage, Use, as_rgb
from encoders.errors import InvalidInput

MAX_ASPECT = 100  # a side this much longer than the other: resizing its short side would explode
SIZES = ({"height", "width"}, {"shortest_edge"})
"""The keys of a size that `PlainTransform` understands."""


@dataclass(frozen=True, eq=False)
class PlainTransform:
    """Resize, cut out the middle; later, for a whole batch, turn bytes into numbers.

    `size` is in pixels, see `SIZES`; `resample` is Pillow's filter; `crop` has a height and a
    width, or is empty. `levels`, float32 `[3, 256]`, are the numbers of each colour's bytes.
    """

    size: Mapping[str, int]
    resample: int
    crop: Mapping[str, int]
    levels: NDArray[np.float32]

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG002
        """uint8 `[height, width, 3]`, all uses alike; raises as `admitted`.

        Bytes, because processes hand them to each other, and numbers would be four times as many.
        """
        rgb = admitted(image)
        small = rgb.resize(self._target(*rgb.size), Image.Resampling(self.resample))
        return np.asarray(self._middle(small))

    def numbers(self, batch: Sequence[Pixels]) -> NDArray[np.float32]:
        """The model's input, `[n, 3, height, width]`, for pixels of one size."""
        height, width, colours = batch[0].shape
        numbers = np.empty((len(batch), colours, height, width), dtype=np.float32)
        for pixels, planes in zip(batch, numbers, strict=True):
            for colour, (levels, plane) in enumerate(zip(self.levels, planes, strict=True)):
                # Clipping changes nothing, and is what lets `take` write without a copy between.
                np.take(levels, pixels[..., colour], out=plane, mode="clip")
        return numbers

    def _target(self, width: int, height: int) -> tuple[int, int]:
        if "shortest_edge" not in self.size:
            return self.size["width"], self.size["height"]
        edge, short = self.size["shortest_edge"], min(width, height)
        return int(edge * width / short), int(edge * height / short)

    def _middle(self, image: Image.Image) -> Image.Image:
        """What lies outside of the image is black."""
        if not self.crop:
            return image
        width, height = self.crop["width"], self.crop["height"]
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))


def admitted(image: RGBImage) -> Image.Image:
    """As RGB; raises `InvalidInput` for images that cannot be decoded or are far too narrow."""
    rgb = as_rgb(image)
    if max(rgb.size) > MAX_ASPECT * min(rgb.size):
        raise InvalidInput(
            f"the image is {rgb.width} x {rgb.height} pixels: one side is more than "
            f"{MAX_ASPECT} times the other"
        )
    return rgb
