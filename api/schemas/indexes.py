"""What a collection costs, how it is indexed, and what scores mean in it."""

from datetime import datetime

from pydantic import BaseModel, Field


class SegmentStatus(BaseModel):
    """A sealed part of an index."""

    kind: str
    rows: int
    dead: int = Field(description="Rows of points deleted or replaced since.")
    bytes: int
    usable: bool = Field(description="False for a damaged segment, which will be rebuilt.")
    text_queries: str = Field(
        description="Texts used to measure it: `stored` in the collection, or `made` (synthetic)."
    )
    recall: dict[str, float] = Field(
        description="Measured recall by number of neighbours, at maximum effort."
    )


class IndexStatus(BaseModel):
    """The index of one vector name."""

    vector: str
    rows: int
    unsealed: int = Field(description="Rows in no segment, which every search scans.")
    segments: list[SegmentStatus]


class DiskUsage(BaseModel):
    """Rows, and bytes on the disk, without segments."""

    points: int
    dead: int = Field(description="Deleted or replaced points.")
    database: int
    vectors: int
    dead_bytes: int = Field(description="Vector bytes that compacting would free.")


class Relevance(BaseModel):
    """What scores mean in a collection, as it was fitted."""

    points: int = Field(description="Number of points at that time.")
    texts: int = Field(description="Number of background texts used.")
    fitted: datetime = Field(description="In UTC.")
    good: dict[str, float] = Field(
        description="By vector name, the score at which a hit becomes a good match."
    )


class IndexReport(BaseModel):
    """A collection; one on a Qdrant server has neither `disk` nor an `index` that is known here."""

    collection: str
    points: int
    vectors: dict[str, int] = Field(description="Vector name to dimension.")
    encoder: str = Field(description="Encoder of its vectors.")
    disk: DiskUsage | None
    index: list[IndexStatus]
    relevance: Relevance | None = Field(description="Null if never calibrated.")
