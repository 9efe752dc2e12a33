"""What a collection costs, how it is indexed, and what scores mean in it."""

from datetime import datetime

from pydantic import BaseModel, Field


class SegmentStatus(BaseModel):
    """A sealed part of an index."""

    kind: str
    rows: int
    dead: int = Field(description="Of these, points that were deleted or replaced since.")
    bytes: int
    usable: bool = Field(description="False for one that is damaged and will be built anew.")
    text_queries: str = Field(
        description="The texts it was measured with: `stored` in the collection, or `made` up."
    )
    recall: dict[str, float] = Field(
        description="The share it was measured to find of so many nearest, at most effort."
    )


class IndexStatus(BaseModel):
    """The index of one vector name."""

    vector: str
    rows: int
    unsealed: int = Field(description="Rows in no segment, which every search looks at.")
    segments: list[SegmentStatus]


class DiskUsage(BaseModel):
    """Rows, and bytes on the disk, without segments."""

    points: int
    dead: int = Field(description="Points that were deleted or replaced.")
    database: int
    vectors: int
    dead_bytes: int = Field(description="Of the vectors: what compacting would give back.")


class Relevance(BaseModel):
    """What scores mean in a collection, as it was fitted."""

    points: int = Field(description="How many there were then.")
    texts: int = Field(description="With how many texts that no picture answers.")
    fitted: datetime = Field(description="In UTC.")
    good: dict[str, float] = Field(
        description="By vector name, the score from which on a hit is a good match."
    )


class IndexReport(BaseModel):
    """A collection; one on a Qdrant server has neither `disk` nor an `index` that is known here."""

    collection: str
    points: int
    vectors: dict[str, int] = Field(description="Vector name to dimension.")
    encoder: str = Field(description="The encoder that made its vectors.")
    disk: DiskUsage | None
    index: list[IndexStatus]
    relevance: Relevance | None = Field(description="Null where it was never calibrated.")
