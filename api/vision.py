"""Segmentation and captions of one picture; blocking."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image

from api.heads import NotConfigured
from api.schemas.vision import CaptionAnswer, ClassArea, PictureRequest, SegmentAnswer
from api.service import Service
from ingestion import load_image

if TYPE_CHECKING:
    from encoders.heads.segmentation import Segmentation

SIDE = 1536
"""Longest side of what is segmented, in pixels: the model sees 504 on the short one."""


@dataclass(frozen=True)
class Segmented:
    """A picture and its classes."""

    image: Image.Image
    found: "Segmentation"

    def answer(self) -> SegmentAnswer:
        """Everything, pictures in base64."""
        from encoders.heads.segmentation import palette

        colours = dict(zip(self.found.names, palette(len(self.found.names)), strict=True))
        return SegmentAnswer(
            width=self.image.width,
            height=self.image.height,
            areas=[
                ClassArea(
                    index=list(self.found.names).index(name),
                    name=name,
                    share=share,
                    colour="#{:02x}{:02x}{:02x}".format(*colours[name]),
                )
                for name, share in self.found.areas().items()
            ],
            class_map=base64.b64encode(self.png("map")).decode(),
        )

    def png(self, which: Literal["map", "overlay"]) -> bytes:
        """The class map (its pixel values are class indices), or the picture under colours."""
        shown = self.found.picture() if which == "map" else self.found.overlay(self.image)
        buffer = io.BytesIO()
        shown.save(buffer, "PNG")
        return buffer.getvalue()


def segment(service: Service, asked: PictureRequest) -> Segmented:
    """Raises `NotConfigured`, `Refusal`, `MediaError`, `InvalidInput`."""
    image = find_picture(service, asked)  # first: no model is loaded for what is no picture
    with service.heads.segmenter() as segmenter:
        return Segmented(image, segmenter.segment(image))


def caption(service: Service, asked: PictureRequest) -> CaptionAnswer:
    """Raises `NotConfigured` where the encoder writes none, `Refusal`, `MediaError`."""
    installation = service.installation
    shown = (
        installation.collection() if asked.collection is None else service.open(asked.collection)
    )
    encoder = installation.encoder(shown)
    if "caption" not in encoder.info.abilities:
        raise NotConfigured.of("captioning", "encoder", "internvl-g with both towers")
    (text,) = encoder.caption([find_picture(service, asked)])
    return CaptionAnswer(caption=text)


def find_picture(service: Service, asked: PictureRequest) -> Image.Image:
    """The picture sent, or that of a stored point; no side above 1536 pixels."""
    if asked.image is not None:
        image = load_image(asked.image, service.limits, SIDE)
    else:
        assert asked.collection is not None  # noqa: S101 - the model saw to it
        assert asked.point is not None  # noqa: S101
        image = service.stored.picture(service.stored.record(asked.collection, asked.point))
    image.thumbnail((SIDE, SIDE))
    return image
