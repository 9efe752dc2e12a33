"""A deterministic encoder without a model: for tests and demos, not for quality."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from encoders.base import EncoderInfo, Pixels, RGBImage, Use, Vectors, as_rgb, require_texts, unit
from encoders.fingerprint import digest

GRID = 4  # an image is its 4 x 4 thumbnail
DIM = GRID * GRID * 3
COLOURS = (
    "red",
    "green",
    "blue",
    "yellow",
    "cyan",
    "magenta",
    "orange",
    "purple",
    "white",
    "black",
)


class FakeEncoder:
    """Embeds images by colour and texts by the colours they name; other words hash to noise.

    So "red" finds a red picture, which is all the meaning a plumbing test needs.
    """

    info = EncoderInfo(
        name="fake",
        description="Colours only, no model: for trying the plumbing, not for finding anything.",
        vectors={"default": DIM},
        modalities=frozenset({"text", "image"}),
        fingerprint={
            "vectors": digest({"default": DIM}),
            "text": digest("fake text 1", COLOURS),
            "image": digest("fake image 1", GRID),
        },
        match_threshold=0.5,  # noise stays far below it, a named colour is far above
    )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), 48]`; raises `InvalidInput` on an empty text."""
        require_texts(texts)
        rows = np.reshape([_embed_text(text) for text in texts], (len(texts), DIM))
        return {"default": unit(rows)}

    @staticmethod
    def preprocess(image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG004
        """The image's thumbnail as uint8 `[4, 4, 3]`."""
        thumbnail = as_rgb(image).resize((GRID, GRID), Image.Resampling.BOX, reducing_gap=2.0)
        return np.asarray(thumbnail, dtype=np.uint8)

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), 48]`, see `Encoder.encode_pixels`."""
        rows = _centre(np.reshape(np.asarray(pixels, dtype=np.uint8), (len(pixels), DIM)))
        return {"default": unit(rows) if normalize else rows}

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`."""
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)


def _embed_text(text: str) -> NDArray[np.float32]:
    words = re.findall(r"\w+", text.lower())
    colours = [ImageColor.getrgb(word)[:3] for word in words if word in COLOURS]
    if colours:
        return _centre(np.tile(np.mean(colours, axis=0), GRID * GRID))
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


def _centre(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Bytes 0-255 to about -0.5..0.5, never exactly zero, so that grey has a direction too."""
    return (values.astype(np.float32) - np.float32(127.3)) / np.float32(255)
