"""The one query object behind every search."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from encoders import RGBImage
from indexer import Filter
from retrieval.errors import InvalidQuery

MAX_LIMIT = 1_000
MAX_PARTS = 32
MAX_TEXT = 4_096  # characters


@dataclass(frozen=True)
class Part:
    """One thing to look for (positive weight) or to stay away from (negative weight).

    Exactly one of `text` (any language), `image` and `point` (a stored point's id) is given.
    """

    weight: float = 1.0
    text: str | None = None
    image: RGBImage | None = None
    point: UUID | None = None

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.text, self.image, self.point)) != 1:
            raise InvalidQuery("each part of a query is exactly one of: text, image, point")
        if self.text is not None and not self.text.strip():
            raise InvalidQuery("the query text is empty: say what to look for")
        if self.text is not None and len(self.text) > MAX_TEXT:
            raise InvalidQuery(f"the query text has more than {MAX_TEXT} characters: shorten it")
        if not 0 < abs(self.weight) < float("inf"):
            raise InvalidQuery("a weight is a finite number other than 0")


@dataclass(frozen=True)
class Query:
    """What to look for and how to answer.

    `parts` are embedded, weighted and summed. `limit` counts assets when `group` is on (hits of one
    video become one answer with its moments), points otherwise. `vector` names the stored vector to
    search, by default the collection's first.
    """

    parts: Sequence[Part]
    filter: Filter | None = None
    limit: int = 10
    group: bool = True
    vector: str | None = None

    def __post_init__(self) -> None:
        if not self.parts:
            raise InvalidQuery("the query is empty: give a text, an image or a stored point")
        if len(self.parts) > MAX_PARTS:
            raise InvalidQuery(f"a query has at most {MAX_PARTS} parts, not {len(self.parts)}")
        if sum(len(part.text or "") for part in self.parts) > MAX_TEXT:
            raise InvalidQuery(f"the texts of a query have at most {MAX_TEXT} characters together")
        if all(part.weight < 0 for part in self.parts):
            raise InvalidQuery("a query needs at least one part with a positive weight")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidQuery(f"limit is 1 to {MAX_LIMIT}, not {self.limit}")

    @property
    def only_text(self) -> bool:
        """Whether the query is a single text, which is what thresholds are fitted on."""
        return len(self.parts) == 1 and self.parts[0].text is not None
