"""The interface of every encoder: texts and images in, unit vectors out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders.errors import InvalidInput

Modality = Literal["text", "image"]
Ability = Literal["match", "caption"]
"""What an encoder may do beside vectors: methods of these names, see `InternVLEncoder`."""

Use = Literal["search", "frame", "class"]
"""What an image is for: public protocols treat a video's frame, or an image to classify, apart."""

Vectors = dict[str, NDArray[np.float32]]
"""Vector name -> float32 `[n, dim]`, one row per input."""

Pixels = NDArray[Any]
"""One preprocessed image; shape and dtype are the encoder's own and equal for all its images."""

RGBImage = Image.Image | NDArray[np.uint8]
"""A PIL image of any mode, or a uint8 RGB array `[height, width, 3]`."""


@dataclass(frozen=True)
class EncoderInfo:
    """What a caller needs to know about an encoder.

    `vectors` maps each vector name to its dimension. `fingerprint` maps a part ("vectors", "text",
    "image") to a hash of everything that determines its output; parts whose files are missing are
    absent. `match_threshold` is the text-to-image cosine below which a hit is not a good match, or
    None if never measured. `batch_size` is the number of images that keeps every device busy.
    `abilities` lists its optional methods: `match`, `caption`. `needs_prompts` says whether names
    work best inside sentences, as for encoders trained on captions.
    """

    name: str
    description: str
    vectors: Mapping[str, int]
    modalities: frozenset[Modality]
    fingerprint: Mapping[str, str]
    match_threshold: float | None = None
    batch_size: int = 32
    abilities: frozenset[Ability] = frozenset()
    needs_prompts: bool = True


class Preprocess(Protocol):
    """An image of any size to the model's input, on the CPU; safe to call from many threads."""

    def __call__(self, image: RGBImage, use: Use = "search") -> Pixels:
        """Pixels of different uses may share a batch; raises `InvalidInput` for no image."""
        ...


class Encoder(Protocol):
    """Turns texts and images into vectors of one shared space.

    Encoding an image has two stages, so that a pipeline can overlap them: `preprocess` runs on the
    CPU, in many threads at once; `encode_pixels` runs on the device and is called by one thread at
    a time. `encode_images` is both in one call. What needs a tower that was not loaded raises
    `TowerNotLoaded`.
    """

    @property
    def info(self) -> EncoderInfo: ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), dim]` per vector name; raises `InvalidInput` on an empty text."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """The first stage. It can be pickled: other processes may preprocess without the model."""
        ...

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), dim]` per vector name, of unit norm unless `normalize=False`.

        Un-normalised rows are what mean pooling over video frames needs.
        """
        ...

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`."""
        ...


class Matcher(Protocol):
    """An encoder with the ability `match`."""

    def match(self, images: Sequence[RGBImage], texts: Sequence[str]) -> NDArray[np.float32]:
        """Probability `[n]`, 0 to 1, that the i-th image and the i-th text belong together."""
        ...


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to norm 1 in float32, `[n, dim]`; a zero row stays zero."""
    single = np.asarray(rows, dtype=np.float32)
    norms: NDArray[np.float32] = np.linalg.norm(single, axis=-1, keepdims=True).astype(np.float32)
    norms[norms == 0] = 1
    return single / norms


def as_rgb(image: RGBImage) -> Image.Image:
    """A PIL image in mode RGB; raises `InvalidInput` for what is no image or has no pixels."""
    if isinstance(image, Image.Image):
        return _loaded(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or image.size == 0:
        raise InvalidInput(
            "an image array must be uint8 [height, width, 3], "
            f"not {image.dtype} {list(image.shape)}"
        )
    return Image.fromarray(image)


def require_texts(texts: Sequence[str]) -> None:
    """Raise `InvalidInput` for a text without a word or with a lone surrogate."""
    for position, text in enumerate(texts):
        if not text.strip():
            raise InvalidInput(f"text {position} is empty: give at least one word")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput(f"text {position} is not valid Unicode") from None


def _loaded(image: Image.Image) -> Image.Image:
    if image.width == 0 or image.height == 0:
        raise InvalidInput("the image has no pixels")
    try:
        image.load()  # pillow decodes on first use
        return image if image.mode == "RGB" else image.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidInput(f"the image cannot be decoded: {error}") from error
