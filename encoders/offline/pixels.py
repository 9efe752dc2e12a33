"""From any picture to the square of pixels that EfficientNet-lite2 expects."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.base import RGBImage, as_rgb
from encoders.errors import InvalidInput

SIDE = 260


def to_square(image: RGBImage) -> NDArray[np.uint8]:
    """The image scaled to fit (bicubic) and centred on a white square, uint8 `[260, 260, 3]`.

    Raises `InvalidInput` on an empty image or an array that is not uint8 RGB.
    """
    picture = _opaque(_picture(image))
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return np.asarray(square)


def _picture(image: RGBImage) -> Image.Image:
    if not isinstance(image, Image.Image):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            given = f"{image.dtype} {list(image.shape)}"
            raise InvalidInput(f"an image array must be uint8 [height, width, 3], not {given}")
        if not image.size:
            raise InvalidInput("the image has no pixels")
        image = as_rgb(image)
    if not image.width or not image.height:
        raise InvalidInput("the image has no pixels")
    return image


def _opaque(picture: Image.Image) -> Image.Image:
    """RGB, with what is transparent showing white, and 16-bit grey scaled to 8 bits."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert(
            "RGB"
        )
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    return as_rgb(picture)
