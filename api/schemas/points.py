"""Points and their payloads."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.schemas.base import FilterTree, Payload, Request


class PointOut(BaseModel):
    id: UUID
    asset: str
    payload: Payload
    vectors: dict[str, list[float]] = Field({}, description="The requested vectors.")


class PointPage(BaseModel):
    points: list[PointOut]
    next: UUID | None = Field(
        description="Pass it as `after` to get the next page; null at the end."
    )


class PayloadPatch(Request):
    """What to set and what to remove at the top level of a point's payload."""

    set: dict[str, Any] = Field({}, max_length=1_000)
    delete: list[str] = Field([], max_length=1_000)

    @model_validator(mode="after")
    def _some(self) -> "PayloadPatch":
        if not self.set and not self.delete:
            raise ValueError("give keys to set or to delete")
        return self


class PointSelection(Request):
    """Points by their ids, or those that match a filter."""

    ids: list[UUID] = Field([], max_length=10_000)
    filter: FilterTree | None = None

    @model_validator(mode="after")
    def _one(self) -> "PointSelection":
        if bool(self.ids) == (self.filter is not None):
            raise ValueError("give either ids or a filter")
        return self


class CountRequest(Request):
    filter: FilterTree | None = None


class ScrollRequest(Request):
    filter: FilterTree | None = None
    limit: int = Field(100, ge=1, le=1_000)
    after: UUID | None = Field(None, description="`next` of the previous page.")
    with_vectors: list[str] = Field([], max_length=8, description="Vector names to include.")


class Count(BaseModel):
    count: int
