"""Collections, their fields and their aliases."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import Request


class NewCollection(Request):
    name: str = Field(examples=["holidays"])


class CollectionInfo(BaseModel):
    name: str
    points: int
    encoder: str = Field(description="Encoder of its vectors.")
    vectors: dict[str, int] = Field(description="Vector name to dimension.")


class CollectionDetail(CollectionInfo):
    kinds: dict[str, int] = Field(
        description="Number of points of each kind: image, segment, video, text.",
        examples=[{"image": 1204, "segment": 310, "video": 36, "text": 0}],
    )


class CollectionList(BaseModel):
    collections: list[CollectionInfo]
    default: str | None = Field(description="Collection used when none is named.")


FieldType = Literal["text", "number", "time", "flag", "place"]


class FieldValue(BaseModel):
    value: bool | int | float | str
    points: int


class FieldOut(BaseModel):
    """A payload field, as the points looked at have it."""

    key: str = Field(description="The key to use in filters.", examples=["camera"])
    type: FieldType
    points: int = Field(description="How many of the examined points have it.")
    distinct: int = Field(description="Number of distinct values.")
    min: float | str | None = Field(None, description="Of numbers and times.")
    max: float | str | None = None
    values: list[FieldValue] = Field(
        [], description="Most frequent values; none for times and places."
    )


class FieldList(BaseModel):
    fields: list[FieldOut] = Field(description="Most frequent first.")
    points: int = Field(description="Number of points examined.")
    sampled: bool = Field(description="Whether there are more points than were examined.")


class AliasTarget(Request):
    collection: str = Field(examples=["holidays"])


class Alias(BaseModel):
    alias: str
    collection: str


class AliasList(BaseModel):
    aliases: list[Alias]
