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
        None, description="Numbers of the space that is searched, of any norm but 0."
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
    group: bool = Field(True, description="One hit per file, with its moments, or one per point.")
    vector: str | None = Field(
        None, description="Search by this vector name alone; else the collection decides."
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
        description="How hard to look through an index: at 1 nothing is missed. By default as hard "
        "as the recall that the collection aims at takes.",
    )
    candidates: int | None = Field(
        None, ge=1, le=MAX_CANDIDATES, description="How many of its best a stage hands to the next."
    )
    rerank: int = Field(
        0, ge=0, le=MAX_RERANK, description="Compare so many pictures with the text, one by one."
    )
    collapse: bool = Field(False, description="Show one of near-duplicates.")
    diversity: float = Field(0, ge=0, le=1, description="Prefer hits unlike those before them.")
    min_relevance: float = Field(
        0, ge=0, le=1, description="Leave out hits less likely to answer the text, even all."
    )
    explain: bool = Field(False, description="List what was done, in `stages`.")


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
    scores: dict[str, float] = Field(description="What each stage gave it.")
    relevance: float | None = Field(
        description="How likely it answers the text, 0 to 1; null where that is not known."
    )
    good_match: bool | None = Field(
        description="Whether its relevance is one half or more; null where that is not known."
    )
    moments: list[MomentOut]
    timeline: list[SpanOut] = Field(description="A video's scores from beginning to end.")
    duplicates: list[UUID] = Field(description="Near-duplicates that this hit stands for.")


class StageOut(BaseModel):
    name: str
    using: str = Field(description="With what, e.g. a vector name.")
    count: int = Field(description="How many things it left or worked on.")
    took_ms: float
    note: str


class SearchAnswer(BaseModel):
    hits: list[HitOut]
    good_match: bool | None = Field(
        description="Whether any hit is one; false: nothing relevant was found; null: not known."
    )
    warnings: list[str]
    took_ms: dict[str, float]
    next: str | None = Field(description="Give it as `cursor` to go on; null at the end.")
    stages: list[StageOut] = Field(description="What was done, in order, if `explain` asked.")
