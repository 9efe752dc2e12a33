"""What a search answers."""

from dataclasses import dataclass, field
from uuid import UUID

from indexer import Payload


@dataclass(frozen=True)
class Moment:
    """A span of a video that answers the query, in seconds; `frame` is the time to show.

    `id` is its best segment's point and `score` that segment's cosine.
    """

    id: UUID
    start: float
    end: float
    frame: float
    score: float


@dataclass(frozen=True)
class Found:
    """An asset (or, ungrouped, a point) found; `score` is the best cosine of its points.

    `good_match` tells whether `score` passes the encoder's threshold for text queries; None where
    none was fitted for this kind of query. `moments` is empty for images; for videos the best
    comes first.
    """

    id: UUID
    asset: str
    score: float
    payload: Payload
    good_match: bool | None = None
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """Hits ordered by (-score, id), and what to think of them.

    `good_match` is that of the best hit, and false without any. `took_ms` maps stage ->
    milliseconds.
    """

    hits: list[Found]
    good_match: bool | None
    warnings: list[str] = field(default_factory=list)
    took_ms: dict[str, float] = field(default_factory=dict)
