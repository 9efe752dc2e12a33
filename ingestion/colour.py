"""Convert any picture PIL opens to 8-bit RGB."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WHITE = (255, 255, 255)
RANGES = (1.0, 255.0, 65535.0)  # what wide samples usually span, where none is negative


def to_rgb(image: Image.Image) -> Image.Image:
    """The image in mode RGB: transparency on white; 16 and 32-bit samples scaled, never clipped."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return _from_grey(np.asarray(image).astype(np.float32) / np.float32(257))
    if image.mode in ("I", "F"):
        return _from_grey(_stretch(np.asarray(image).astype(np.float32)))
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, WHITE)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _stretch(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples of unknown range to 0-255; those that are not finite become black."""
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    low = min(float(samples.min()), 0.0)
    peak = float(samples.max())
    high = next((limit for limit in RANGES if low == 0 and peak <= limit), peak)
    if high == low:
        return np.zeros_like(samples)
    return (samples - low) * np.float32(255 / (high - low))


def _from_grey(samples: NDArray[np.float32]) -> Image.Image:
    return Image.fromarray(np.rint(samples).astype(np.uint8)).convert("RGB")
