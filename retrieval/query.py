"""The one query object behind every search."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from encoders import RGBImage
from indexer import Filter
from retrieval.errors import InvalidQuery

MAX_LIMIT = 1_000
MAX_PARTS = 32
MAX_TEXT = 4_096  # characters
MAX_CANDIDATES = 1_000
MAX_RERANK = 200
MINUS = -0.5
"""Weight of a text to stay away from where none is given: enough to push, too little to lead."""


@dataclass(frozen=True)
class Part:
    """One thing to search for (positive weight) or to steer away from (negative weight).

    Exactly one of `text` (any language), `image`, `point` (a stored point's id) and `vector`
    (floats `[dim]` of the space that is searched, brought to unit norm) is given.
    """

    weight: float = 1.0
    text: str | None = None
    image: RGBImage | None = None
    point: UUID | None = None
    vector: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        given = (self.text, self.image, self.point, self.vector)
        if sum(value is not None for value in given) != 1:
            raise InvalidQuery("each part of a query is exactly one of: text, image, point, vector")
        if self.text is not None and not self.text.strip():
            raise InvalidQuery("the query text is empty: say what to look for")
        if self.text is not None and len(self.text) > MAX_TEXT:
            raise InvalidQuery(f"the query text has more than {MAX_TEXT} characters: shorten it")
        if self.vector is not None and not _is_direction(self.vector):
            raise InvalidQuery("a query vector is a list of finite numbers, not all of them 0")
        if not 0 < abs(self.weight) < float("inf"):
            raise InvalidQuery("a weight is a finite number other than 0")


@dataclass(frozen=True)
class Query:
    """What to search for and how to answer; docs/retrieval.md describes the stages.

    `parts` are embedded, weighted and summed. `limit` counts assets when `group` is on (hits of one
    video become one answer with its moments), points otherwise. `cursor` continues where an answer
    ended. `vector` names the stored vector to search with, alone; by default the collection decides
    (`c`, then `g`, where both are stored).

    `words` also looks for points whose text or caption has every word of a query of one text.
    `effort`, 0 to 1, is the search effort in an index: 1 is exact; by default, what the
    collection's recall needs. `candidates` is how many candidates a stage passes to the next.
    `rerank` lets the encoder compare that many pictures with the text, one by one. `collapse` shows
    one of near-duplicates. `diversity`, 0 to 1, prefers hits unlike those before them.
    `min_relevance`, 0 to 1, leaves out what is less likely to answer a text; it can leave nothing.
    `explain` lists what was done.
    """

    parts: Sequence[Part]
    filter: Filter | None = None
    limit: int = 10
    group: bool = True
    vector: str | None = None
    cursor: str | None = None
    words: bool = True
    effort: float | None = None
    candidates: int | None = None
    rerank: int = 0
    collapse: bool = False
    diversity: float = 0.0
    min_relevance: float = 0.0
    explain: bool = False

    def __post_init__(self) -> None:
        self._check_parts()
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidQuery(f"limit is 1 to {MAX_LIMIT}, not {self.limit}")
        if self.candidates is not None and not 1 <= self.candidates <= MAX_CANDIDATES:
            raise InvalidQuery(f"candidates is 1 to {MAX_CANDIDATES}, not {self.candidates}")
        if self.effort is not None and not 0 <= self.effort <= 1:
            raise InvalidQuery(f"effort is 0 to 1, not {self.effort}")
        if not 0 <= self.rerank <= MAX_RERANK:
            raise InvalidQuery(f"rerank is 0 to {MAX_RERANK}, not {self.rerank}")
        if not 0 <= self.diversity <= 1:
            raise InvalidQuery(f"diversity is 0 to 1, not {self.diversity}")
        if not 0 <= self.min_relevance <= 1:
            raise InvalidQuery(f"min_relevance is 0 to 1, not {self.min_relevance}")
        if self.min_relevance and not self.only_text:
            raise InvalidQuery(
                "min_relevance is for queries of one text and nothing else: only for those is it "
                "known how likely a hit answers"
            )
        if self.rerank and len(self.sought) != 1:
            raise InvalidQuery(
                "rerank compares pictures with one text: give exactly one with a positive weight"
            )

    @property
    def only_text(self) -> bool:
        """Whether the query is a single text, which is what relevance is fitted on."""
        return len(self.parts) == 1 and self.parts[0].text is not None

    @property
    def sought(self) -> list[str]:
        """The texts of positive weight."""
        return [part.text for part in self.parts if part.text is not None and part.weight > 0]

    def _check_parts(self) -> None:
        if not self.parts:
            raise InvalidQuery("the query is empty: give a text, an image or a stored point")
        if len(self.parts) > MAX_PARTS:
            raise InvalidQuery(f"a query has at most {MAX_PARTS} parts, not {len(self.parts)}")
        if sum(len(part.text or "") for part in self.parts) > MAX_TEXT:
            raise InvalidQuery(f"the texts of a query have at most {MAX_TEXT} characters together")
        if all(part.weight < 0 for part in self.parts):
            raise InvalidQuery("a query needs at least one part with a positive weight")


def parse_filter(text: str, owner: str) -> Filter:
    """The filter that JSON text stands for; `InvalidQuery` (it names `owner`), `InvalidFilter`."""
    try:
        tree = json.loads(text)
        json.dumps(tree, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return Filter.parse(tree)
    except UnicodeEncodeError as error:
        raise InvalidQuery(f"{owner} is not valid Unicode") from error
    except (ValueError, RecursionError) as error:
        raise InvalidQuery(f"{owner} is not JSON: {error}") from error


def _is_direction(vector: NDArray[np.float32]) -> bool:
    return vector.ndim == 1 and bool(np.isfinite(vector).all()) and bool(vector.any())
