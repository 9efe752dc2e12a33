"""Assets and uploads."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field

from api.schemas.base import Payload, Request


class AssetOut(BaseModel):
    """What ingestion did with a file."""

    asset: str
    status: Literal["done", "skipped", "failed"]
    reason: str
    size: int
    content_hash: str
    points: int
    attempts: int
    updated: float = Field(description="Seconds since 1970 UTC.")


class AssetPage(BaseModel):
    assets: list[AssetOut]
    next: str | None = Field(
        description="Pass it as `after` to get the next page; null at the end."
    )


ID = r"^[A-Za-z0-9_.-]{1,128}$"
"""Of a client's own for an asset."""


class TextItem(Request):
    """A text with what is to be known of it."""

    text: str
    id: str | None = Field(
        None, pattern=ID, description="Your own id; replaces what is stored under it."
    )
    payload: Payload = Field(
        {}, max_length=1_000, description="Metadata to filter on, returned with hits."
    )


def _whole(given: object) -> object:
    """A text alone is short for an item without more."""
    return {"text": given} if isinstance(given, str) else given


Text = Annotated[TextItem, BeforeValidator(_whole, json_schema_input_type=str | TextItem)]


class TextUpload(Request):
    texts: list[Text] = Field(
        min_length=1,
        max_length=256,
        description="Each becomes a point; at most 64 kB. Without an id, the words identify it.",
    )


class UploadItem(BaseModel):
    name: str = Field(description="Name of the file, or the beginning of the text.")
    status: Literal["queued", "done", "unchanged", "skipped", "failed"]
    reason: str = ""
    asset: str | None = None
    point: UUID | None = Field(None, description="The image or text, or the video as a whole.")


class UploadReport(BaseModel):
    items: list[UploadItem] = Field(description="One per file or text, in the order sent.")
    job: int | None = Field(None, description="Job that indexes the queued files.")
