"""Collections, their fields and their aliases."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import Request


class NewCollection(Request):
    name: str = Field(examples=["holidays"])


class CollectionInfo(BaseModel):
    name: str
    points: int
    encoder: str = Field(description="The encoder that made its vectors.")
    vectors: dict[str, int] = Field(description="Vector name to dimension.")


class CollectionDetail(CollectionInfo):
    kinds: dict[str, int] = Field(
        description="How many points are image, segment, video and text.",
        examples=[{"image": 1204, "segment": 310, "video": 36, "text": 0}],
    )


class CollectionList(BaseModel):
    collections: list[CollectionInfo]
    default: str | None = Field(description="The one to use when none is named.")


FieldType = Literal["text", "number", "time", "flag", "place"]


class FieldValue(BaseModel):
    value: bool | int | float | str
    points: int


class FieldOut(BaseModel):
    """A payload field, as the points looked at have it."""

    key: str = Field(description="As filters write it.", examples=["camera"])
    type: FieldType
    points: int = Field(description="How many of them have it.")
    distinct: int = Field(description="How many different values they have.")
    min: float | str | None = Field(None, description="Of numbers and times.")
    max: float | str | None = None
    values: list[FieldValue] = Field([], description="The most frequent; none of times and places.")


class FieldList(BaseModel):
    fields: list[FieldOut] = Field(description="The most frequent first.")
    points: int = Field(description="How many points were looked at.")
    sampled: bool = Field(description="Whether there are more points than that.")


class AliasTarget(Request):
    collection: str = Field(examples=["holidays"])


class Alias(BaseModel):
    alias: str
    collection: str


class AliasList(BaseModel):
    aliases: list[Alias]
