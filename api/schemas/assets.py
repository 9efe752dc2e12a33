"""Assets and uploads."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas.base import Request


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
    next: str | None = Field(description="Give it as `after` to go on; null at the end.")


class TextUpload(Request):
    texts: list[str] = Field(
        min_length=1, max_length=256, description="Each becomes a point; 64 kB at most."
    )


class UploadItem(BaseModel):
    name: str = Field(description="Of the file, or how the text begins.")
    status: Literal["queued", "done", "unchanged", "skipped", "failed"]
    reason: str = ""
    asset: str | None = None
    point: UUID | None = Field(None, description="The image or text, or the video as a whole.")


class UploadReport(BaseModel):
    items: list[UploadItem] = Field(
        description="One for each file or text, in the order they came."
    )
    job: int | None = Field(None, description="The job that indexes those that are queued.")
