"""A loaded segmentation model: pictures in, class maps out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from encoders.heads.segmentation.classes import palette
from encoders.heads.segmentation.model import SegmentationModel
from encoders.heads.segmentation.slide import bands, prepare, slide
from encoders.internvl.transforms import normalise


@dataclass(frozen=True)
class Segmentation:
    """Which class each pixel has: uint8 `[height, width]`, indices into `names`."""

    classes: NDArray[np.uint8]
    names: Sequence[str]

    def areas(self) -> dict[str, float]:
        """Name -> share of the picture, 0 to 1, of the classes that are in it, largest first."""
        counts = np.bincount(self.classes.ravel(), minlength=len(self.names))
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        return {self.names[index]: float(counts[index] / self.classes.size) for index in order}

    def picture(self) -> Image.Image:
        """A palette image: pixel values are class indices, colours are `palette`'s."""
        image = Image.fromarray(self.classes, mode="P")
        image.putpalette([part for colour in palette(len(self.names)) for part in colour])
        return image

    def overlay(self, image: Image.Image, opacity: float = 0.5) -> Image.Image:
        """The picture in RGB with the classes' colours over it; `opacity` 0 to 1."""
        return Image.blend(image.convert("RGB"), self.picture().convert("RGB"), opacity)


class Segmenter:
    """Segments pictures one at a time; not thread-safe, as a device is not."""

    def __init__(
        self,
        model: SegmentationModel,
        names: Sequence[str],
        device: torch.device,
        identity: str = "",
    ) -> None:
        """`identity` is another where anything is that decides the answers."""
        self._model = model
        self._device = device
        self.names = names
        self.identity = identity

    @torch.inference_mode()
    def segment(self, image: Image.Image) -> Segmentation:
        """The class of every pixel of `image`, at its own size.

        Raises `InvalidInput` for a picture more than 16 times as long as wide.
        """
        vision, stride = self._model.config.vision, self._model.config.stride
        colours = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).to(self._device)
        pixels = prepare(colours, vision.image_size, vision.patch_size)
        logits = slide(self._model, _normalised(pixels), vision.image_size, stride)
        classes = np.empty((image.height, image.width), np.uint8)
        for start, band in bands(logits, image.height, image.width):
            classes[start : start + band.shape[1]] = band.argmax(0).byte().cpu().numpy()
        return Segmentation(classes, self.names)


def _normalised(pixels: torch.Tensor) -> torch.Tensor:
    return normalise(pixels.permute(0, 2, 3, 1))
