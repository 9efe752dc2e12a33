"""Pictures, and what is seen in them."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.schemas.base import Base64, Request


class PictureRequest(Request):
    """Either a picture, or a stored point of a collection."""

    image: Base64 | None = Field(None, description="A picture file in base64.")
    collection: str | None = None
    point: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> "PictureRequest":
        stored = self.collection is not None and self.point is not None
        partly = self.collection is not None or self.point is not None
        if (self.image is not None) == partly or partly != stored:
            raise ValueError("give either an image, or a collection and a point")
        return self


class ClassifyRequest(PictureRequest):
    """A picture or a stored point, and the labels to choose from: named here, or a probe's."""

    labels: list[Annotated[str, Field(max_length=512)]] = Field(
        [],
        max_length=1_000,
        description="Classes; with a tab, a label and the words for its prompts.",
        examples=[["cat", "dog"]],
    )
    probe: str | None = Field(None, description="A trained or imported classifier, by name.")
    language: str = Field(
        "en", max_length=35, description="Language of the prompts: en, zh, ja, ar or it."
    )
    templates: list[Annotated[str, Field(max_length=512)]] = Field(
        [], max_length=100, description="Your own prompts, with `{c}` for the class."
    )
    multi: bool = Field(False, description="Allow any number of labels, not just one.")
    top: int = Field(5, ge=1, le=1_000, description="Most labels to return.")
    at_least: float | None = Field(
        None, ge=0, le=1, description="Drop labels of lower probability; default with `multi`: 0.5."
    )

    @model_validator(mode="after")
    def _labelled(self) -> "ClassifyRequest":
        if bool(self.labels) == (self.probe is not None):
            raise ValueError("give either labels or a probe")
        return self


class LabelOut(BaseModel):
    label: str
    probability: float = Field(description="0 to 1; of all labels that exclude each other, 1.")


class ClassifyAnswer(BaseModel):
    labels: list[LabelOut] = Field(description="Most likely first.")
    exclusive: bool = Field(description="Whether exactly one label applies.")
    made: str = Field(description="How the classifier was made.")


class ClassArea(BaseModel):
    index: int = Field(description="Pixel value of the class in the class map.")
    name: str
    share: float = Field(description="Share of the picture's pixels, 0 to 1.")
    colour: str = Field(description="Its colour in the class map and the overlay, #rrggbb.")


class SegmentAnswer(BaseModel):
    width: int
    height: int
    areas: list[ClassArea] = Field(description="The classes in the picture, largest first.")
    class_map: str = Field(description="A palette PNG in base64; pixel values are class indices.")


class CaptionAnswer(BaseModel):
    caption: str
