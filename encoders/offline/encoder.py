"""The embedded default encoder: works right after `pip install`, finds things by their names."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from encoders.base import EncoderInfo, Modality, Pixels, Preprocess, RGBImage, Use, Vectors, unit
from encoders.errors import CheckpointError, TowerNotLoaded
from encoders.fingerprint import digest
from encoders.offline.data import load_data
from encoders.offline.pixels import to_square
from encoders.offline.text import TextTower
from encoders.registry import LoadOptions

if TYPE_CHECKING:
    from encoders.offline.image import ImageTower

DIM = 384
DTYPES = ("float32", "bfloat16")
TEXT_VERSION = 1  # raise whenever the same input gives other numbers
IMAGE_VERSION = 1
MATCH_THRESHOLD = 0.25  # see docs/offline_encoder.md, "No good match"


class OfflineEncoder:
    """Multilingual text and photos in one space of 384 dimensions, on a CPU, without any download.

    A finder of nouns: it knows the 1000 ImageNet classes and the 856 WordNet concepts above them,
    best in the dozen languages of its dictionary. Each tower loads on its first use; text never
    imports torch.
    """

    def __init__(self, options: LoadOptions) -> None:
        """`options.dtype` "bfloat16" halves the image time on CPUs made for it.

        Raises `CheckpointError` where the data file is damaged or `options` ask for another vector
        than "default" or another number type.
        """
        if options.vectors is not None and set(options.vectors) != {"default"}:
            raise CheckpointError(
                f"the offline encoder has one vector, 'default', not {sorted(options.vectors)}"
            )
        if options.dtype not in (None, *DTYPES):
            raise CheckpointError(
                f"the offline encoder computes in {' or '.join(DTYPES)}, not {options.dtype}"
            )
        self._options = options
        self._data = load_data()
        self._lock = threading.Lock()
        self._text: TextTower | None = None
        self._image: ImageTower | None = None
        self.info = EncoderInfo(
            name="offline",
            description="A small offline noun-finder for trying things out, not InternVL.",
            vectors={"default": DIM},
            modalities=options.towers,
            fingerprint=_fingerprint(self._data.checksum),
            match_threshold=MATCH_THRESHOLD,
            needs_prompts=False,
        )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), 384]`; texts of any length and script.

        Raises `InvalidInput` on an empty text, `TowerNotLoaded` without the text tower.
        """
        if not texts:
            return {"default": np.empty((0, DIM), dtype=np.float32)}
        return {"default": unit(self._text_tower().project(texts))}

    @property
    def preprocess(self) -> Preprocess:
        """To uint8 `[260, 260, 3]`, padded to a square on white."""
        self._require("image")
        return _square

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        """Rows `[len(pixels), 384]`, see `Encoder.encode_pixels`.

        Un-normalised rows are the projected descriptions. All descriptions have one norm before
        the projection, so a row is short where its image shows little that a text could name, and
        then counts for little in the mean over a video's frames.
        """
        if not pixels:
            return {"default": np.empty((0, DIM), dtype=np.float32)}
        rows = self._image_tower().project(pixels)
        return {"default": unit(rows) if normalize else rows}

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        """`encode_pixels` of each image's `preprocess`."""
        return self.encode_pixels([self.preprocess(image) for image in images], normalize=normalize)

    def _text_tower(self) -> TextTower:
        self._require("text")
        with self._lock:
            if self._text is None:
                self._text = TextTower(self._data)
            return self._text

    def _image_tower(self) -> "ImageTower":
        self._require("image")
        with self._lock:
            if self._image is None:
                from encoders.devices import parse_device
                from encoders.offline.image import ImageTower

                device = str(parse_device(self._options.device or "cpu"))
                self._image = ImageTower(self._data, device, self._options.dtype or DTYPES[0])
            return self._image

    def _require(self, tower: Modality) -> None:
        if tower not in self._options.towers:
            raise TowerNotLoaded(self.info.name, tower)


def _square(image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG001
    """All uses are alike."""
    return to_square(image)


def _fingerprint(checksum: str) -> dict[str, str]:
    return {
        "vectors": digest({"default": DIM}),
        "text": digest("offline text", TEXT_VERSION, checksum),
        "image": digest("offline image", IMAGE_VERSION, checksum),
    }
