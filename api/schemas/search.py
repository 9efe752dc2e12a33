"""Searches and their answers."""

from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.schemas.base import Base64, FilterTree, Floats, Payload, Request
from retrieval.query import MAX_CANDIDATES, MAX_PARTS, MAX_RERANK, MAX_TEXT

MAX_LIMIT = 250


class QueryPart(Request):
    """Exactly one of text, point, image and vector; a negative weight steers away from it."""

    text: str | None = Field(None, max_length=MAX_TEXT, description="In any language.")
    point: UUID | None = Field(None, description="A stored point's id.")
    image: Base64 | None = Field(None, description="A picture file in base64.")
    vector: Floats | None = Field(
        None, description="A vector of the searched space, of any norm except 0."
    )
    weight: float = Field(1.0, ge=-100, le=100, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one(self) -> "QueryPart":
        given = (self.text, self.point, self.image, self.vector)
        if sum(value is not None for value in given) != 1:
            raise ValueError("give exactly one of text, point, image and vector")
        return self


class SearchOptions(Request):
    """How to answer, whatever is asked."""

    limit: int = Field(10, ge=1, le=MAX_LIMIT)
    group: bool = Field(
        True, description="One hit per file, with its moments; false: one per point."
    )
    vector: str | None = Field(
        None, description="Search by this vector name only; default: the collection decides."
    )
    cursor: str | None = Field(
        None, max_length=100_000, description="`next` of an answer to the same request."
    )
    words: bool = Field(
        True, description="Also find files whose text or caption has every word of a single text."
    )
    effort: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Search effort in an index; 1 is exact. Default: what the collection's "
        "target recall needs.",
    )
    candidates: int | None = Field(
        None, ge=1, le=MAX_CANDIDATES, description="How many candidates each stage passes on."
    )
    rerank: int = Field(
        0, ge=0, le=MAX_RERANK, description="Rerank this many results by image-text matching."
    )
    collapse: bool = Field(False, description="Show only the best of near-duplicates.")
    diversity: float = Field(0, ge=0, le=1, description="Prefer hits unlike earlier ones.")
    min_relevance: float = Field(
        0, ge=0, le=1, description="Drop hits of lower relevance, possibly all."
    )
    explain: bool = Field(False, description="List the stages that ran, in `stages`.")


class SearchRequest(SearchOptions):
    parts: list[QueryPart] = Field(
        [],
        max_length=MAX_PARTS,
        examples=[[{"text": "a red bicycle"}, {"text": "night", "weight": -0.3}]],
    )
    filter: FilterTree | None = None


class SearchLink(SearchOptions):
    """A search in an address."""

    q: str | None = Field(
        None, max_length=MAX_TEXT, description="The text.", examples=["a red bicycle"]
    )
    minus: list[str] = Field([], max_length=MAX_PARTS, description="Texts to stay away from.")
    point: list[UUID] = Field([], max_length=MAX_PARTS, description="Stored points' ids.")
    filter: str | None = Field(None, max_length=16_384, description="A filter as JSON.")


class MomentOut(BaseModel):
    """A span of a video, in seconds; `frame` is the time of the frame that shows it."""

    id: UUID
    start: float
    end: float
    frame: float
    score: float


class SpanOut(BaseModel):
    start: float
    end: float
    score: float


class HitOut(BaseModel):
    id: UUID
    asset: str
    score: float = Field(description="Cosine to the query, -1 to 1.")
    payload: Payload
    scores: dict[str, float] = Field(description="Score from each stage.")
    relevance: float | None = Field(
        description="How likely it answers the text, 0 to 1; null if unknown."
    )
    good_match: bool | None = Field(
        description="Whether its relevance is at least one half; null if unknown."
    )
    moments: list[MomentOut]
    timeline: list[SpanOut] = Field(description="A video's scores from beginning to end.")
    duplicates: list[UUID] = Field(description="Near-duplicates that this hit stands for.")


class StageOut(BaseModel):
    name: str
    using: str = Field(description="With what, e.g. a vector name.")
    count: int = Field(description="Number of items it left or worked on.")
    took_ms: float
    note: str


class SearchAnswer(BaseModel):
    hits: list[HitOut]
    good_match: bool | None = Field(
        description="Whether any hit is a good match; false: nothing relevant was found; null: "
        "unknown."
    )
    warnings: list[str]
    took_ms: dict[str, float]
    next: str | None = Field(
        description="Pass it as `cursor` to get the next page; null at the end."
    )
    stages: list[StageOut] = Field(description="The stages that ran, in order, with `explain`.")
