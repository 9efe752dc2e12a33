"""Snapshots and exports of collections."""

from datetime import datetime

from pydantic import BaseModel, Field, model_validator

from api.schemas.base import Request


class Snapshot(BaseModel):
    """A backup of a collection; `created` in UTC."""

    name: str
    collection: str = Field(description="Collection it was taken from.")
    points: int
    bytes: int
    created: datetime


class SnapshotList(BaseModel):
    snapshots: list[Snapshot]


class RestoreRequest(Request):
    name: str | None = Field(None, description="Name of the collection; default: its old name.")


class Export(BaseModel):
    """A collection as the two files `points.parquet` and `ledger.parquet`."""

    name: str
    collection: str = Field(description="Collection it was made from.")
    points: int
    assets: int = Field(description="Files in its ledger.")
    bytes: int


class ExportList(BaseModel):
    exports: list[Export]


class ImportRequest(Request):
    """Either an export that is kept here, or a folder with its two files."""

    export: str | None = Field(None, description="Its name.")
    path: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="An absolute path on the server, inside the allowed folders.",
    )

    @model_validator(mode="after")
    def _one(self) -> "ImportRequest":
        if (self.export is None) == (self.path is None):
            raise ValueError("give either an export or a path")
        return self


class Import(BaseModel):
    collection: str
    points: int = Field(description="Points in the export.")
    assets: int
