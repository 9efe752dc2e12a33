"""InternVL and InternViT behind the encoder protocol, with matching scores and captions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.base import (
    EncoderInfo,
    Pixels,
    Preprocess,
    RGBImage,
    Vectors,
    require_texts,
    unit,
)
from encoders.errors import InvalidInput, TowerNotLoaded
from encoders.internvl.images import ImageSide
from encoders.internvl.model import InternVL
from encoders.internvl.pairs import Captioning, caption, match
from encoders.internvl.runner import Runner
from encoders.internvl.texts import TextSide
from encoders.internvl.tokenizer import Tokenizer

PUBLIC_CAPTIONING = Captioning()


class InternVLEncoder:
    """One forward pass gives an image's `c` and `g`; one text vector serves both.

    `images` or `texts` is None where that tower was not loaded; `joint` is the model with its
    tokenizer where both were, and with them what matches and captions.
    """

    def __init__(
        self,
        info: EncoderInfo,
        *,
        images: ImageSide | None,
        texts: TextSide | None,
        joint: tuple[Runner[InternVL], Tokenizer] | None = None,
    ) -> None:
        self.info = info
        self._maybe_images = images
        self._maybe_texts = texts
        self._maybe_joint = joint

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), dim]`, the same under each vector name."""
        if self._maybe_texts is None:
            raise TowerNotLoaded(self.info.name, "text")
        require_texts(texts)
        if not texts:
            return {name: np.zeros((0, dim), np.float32) for name, dim in self.info.vectors.items()}
        rows = unit(self._maybe_texts.encode(texts))
        return dict.fromkeys(self.info.vectors, rows)

    @property
    def preprocess(self) -> Preprocess:
        """To the model's square, uint8 RGB `[size, size, 3]`."""
        return self._images.preprocess

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), dim]`, see `Encoder.encode_pixels`."""
        return _scaled(self._images.encode(pixels), normalize)

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`, the next ones resized meanwhile."""
        pixels = self._images.preprocess_all(images)
        return _scaled(self._images.encode(pixels), normalize)

    def match(self, images: Sequence[RGBImage], texts: Sequence[str]) -> NDArray[np.float32]:
        """Probability `[n]`, 0 to 1, that the i-th image and the i-th text belong together.

        This is the image-text matching head of InternVL-G: slower than vectors, for reranking.
        Raises `InvalidInput` where that model was not loaded.
        """
        runner, tokenizer = self._joint
        require_texts(texts)
        if len(images) != len(texts):
            raise InvalidInput(f"{len(images)} images and {len(texts)} texts do not make pairs")
        return match(runner, tokenizer, list(self._images.preprocess_all(images)), texts)

    def caption(self, images: Sequence[RGBImage], how: Captioning = PUBLIC_CAPTIONING) -> list[str]:
        """An English caption for each image, by InternVL-G. Raises `InvalidInput` without it."""
        runner, tokenizer = self._joint
        return caption(runner, tokenizer, list(self._images.preprocess_all(images)), how)

    @property
    def _images(self) -> ImageSide:
        if self._maybe_images is None:
            raise TowerNotLoaded(self.info.name, "image")
        return self._maybe_images

    @property
    def _joint(self) -> tuple[Runner[InternVL], Tokenizer]:
        if self._maybe_joint is None:
            raise InvalidInput(
                f"{self.info.name} cannot match or caption: that needs InternVL-14B with both "
                "towers and the vector 'g'"
            )
        return self._maybe_joint


def _scaled(vectors: Vectors, normalize: bool) -> Vectors:
    return {name: unit(rows) for name, rows in vectors.items()} if normalize else vectors
