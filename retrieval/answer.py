"""What a search answers."""

from dataclasses import dataclass, field
from uuid import UUID

from indexer import Payload


@dataclass(frozen=True)
class Span:
    """A part of a video, in seconds, and the best cosine of the segments in it."""

    start: float
    end: float
    score: float


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
    """An asset (or, ungrouped, a point) found.

    `score` is a cosine: that of its best point under the last vector that was compared. `scores`
    maps each stage that judged it to what it gave. `relevance`, 0 to 1, is how likely it answers
    the text asked for, and `good_match` whether that is at least one half; both are None where no
    relevance was fitted for this kind of query.
    `moments` is empty for images; for videos the best comes first, and `timeline` has the scores
    from beginning to end. `duplicates` are near-duplicates that this hit stands for.
    """

    id: UUID
    asset: str
    score: float
    payload: Payload
    scores: dict[str, float] = field(default_factory=dict)
    relevance: float | None = None
    good_match: bool | None = None
    moments: list[Moment] = field(default_factory=list)
    timeline: list[Span] = field(default_factory=list)
    duplicates: list[UUID] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """One thing that was done to answer.

    `name` says what, `using` with what (a vector name, say). `count` is how many things it left or
    worked on. `took_ms` is in milliseconds. `note` is for people.
    """

    name: str
    using: str = ""
    count: int = 0
    took_ms: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """Hits, best first, and what to think of them.

    `good_match` tells whether any hit is one; false says that nothing relevant is among these, be
    it that hits are poor or that there are none. None where it is not known. `took_ms` maps a stage
    to milliseconds. `next` is the cursor of the next page, None at the end. `stages` lists all that
    was done, in order.
    """

    hits: list[Found]
    good_match: bool | None
    warnings: list[str] = field(default_factory=list)
    took_ms: dict[str, float] = field(default_factory=dict)
    next: str | None = None
    stages: list[Stage] = field(default_factory=list)
