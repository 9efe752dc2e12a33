"""Images of any size through a model of one window: resize, slide, average, resize back.

The test protocol of the public segmentation code: short side to the window's, both sides up to a
multiple of the patch, windows of which the last is moved inside, logits averaged where they meet.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from encoders.errors import InvalidInput
from encoders.heads.segmentation.heads import resize

MAX_ASPECT = 16
"""Longest side over shortest; the averaged logits of a panorama beyond fill gigabytes."""
WINDOWS = 8
"""Windows of one pass."""
BAND = 64
"""Rows of the original size that are computed at once."""

Model = Callable[[Tensor], Tensor]
"""Normalised windows `[n, 3, side, side]` -> logits `[n, classes, side, side]`."""


def target_sizes(width: int, height: int, side: int, patch: int) -> tuple[tuple[int, int], ...]:
    """The two sizes (height, width) an image takes in turn: short side `side`, then multiples.

    Raises `InvalidInput` for an image longer than 16 times its width or height.
    """
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidInput(
            f"the image is {width} x {height} pixels: one side is more than {MAX_ASPECT} times the "
            "other; crop it first"
        )
    scale = side / min(width, height)
    scaled = [int(length * scale + 0.5) for length in (height, width)]
    up = [-(-length // patch) * patch for length in scaled]
    return (scaled[0], scaled[1]), (up[0], up[1])


def prepare(image: Tensor, side: int, patch: int) -> Tensor:
    """uint8 RGB `[h, w, 3]` -> float32 `[1, 3, H, W]`, 0 to 255, of the size the model sees.

    Rounded to whole numbers after each step: the public pipeline resizes bytes.
    """
    pixels = image.permute(2, 0, 1)[None].float()
    for size in target_sizes(image.shape[1], image.shape[0], side, patch):
        if tuple(pixels.shape[2:]) != size:
            pixels = resize(pixels, size).round()
    return pixels


def slide(model: Model, pixels: Tensor, side: int, stride: int) -> Tensor:
    """Logits of a normalised image `[1, 3, H, W]`: float32 `[classes, H, W]`."""
    corners = list(windows(pixels.shape[2], pixels.shape[3], side, stride))
    total, counts = None, pixels.new_zeros(pixels.shape[2:], dtype=torch.float32)
    for start in range(0, len(corners), WINDOWS):
        group = corners[start : start + WINDOWS]
        logits = model(torch.cat([pixels[:, :, y : y + side, x : x + side] for y, x in group]))
        if total is None:
            total = logits.new_zeros((logits.shape[1], *pixels.shape[2:]))
        for (y, x), found in zip(group, logits, strict=True):
            total[:, y : y + side, x : x + side] += found
            counts[y : y + side, x : x + side] += 1
    assert total is not None  # noqa: S101 - an image has at least one window
    return total.div_(counts)


def windows(height: int, width: int, side: int, stride: int) -> Iterator[tuple[int, int]]:
    """The upper left corners (y, x) of the windows that cover an image, row by row."""
    for y in _starts(height, side, stride):
        for x in _starts(width, side, stride):
            yield y, x


def bands(logits: Tensor, height: int, width: int) -> Iterator[tuple[int, Tensor]]:
    """Logits `[classes, H, W]` resized to `height` x `width`, some rows at a time, with the first.

    The same numbers as resizing all at once, which takes a gigabyte for two megapixels.
    """
    rows = torch.arange(height, dtype=torch.float32, device=logits.device)
    centres = ((rows + 0.5) * (logits.shape[1] / height) - 0.5).clamp(min=0)
    above = centres.long()
    below = (above + 1).clamp(max=logits.shape[1] - 1)
    weight = (centres - above)[:, None]
    for start in range(0, height, BAND):
        part = slice(start, start + BAND)
        lerped = torch.lerp(logits[:, above[part]], logits[:, below[part]], weight[part])
        yield start, resize(lerped[None], (lerped.shape[1], width))[0]


def _starts(length: int, side: int, stride: int) -> Iterator[int]:
    count = max(length - side + stride - 1, 0) // stride + 1
    return (min(number * stride, length - side) for number in range(count))
