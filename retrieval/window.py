"""The first stage: the next stretch of the order by one vector, whichever page it is for."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import Collection, Filter, Hit
from retrieval.candidates import Candidate, Group, group_name, grouped
from retrieval.cursor import Key, Place
from retrieval.trace import Trace

DEEPEST = 10_000
"""Points that a walk reaches, at most."""


@dataclass(frozen=True)
class Window:
    """A stretch of the order of retrieval.

    `groups` are those whose best point lies in it, with their points in it. `end` is the key of the
    last group's best point (or of the last point of all), `depth` how many points lie up to there.
    `more` tells whether another group lies beyond, `cut` that the walk may go no deeper.
    """

    groups: list[Group]
    end: Key | None
    depth: int
    more: bool
    cut: bool
    warnings: list[str]


class Retriever:
    """Finds windows of one collection, by one target, filter and way of grouping."""

    def __init__(
        self,
        collection: Collection,
        vector: str,
        target: NDArray[np.float32],
        filter: Filter | None,  # noqa: A002 - the field's word for it
        *,
        by_asset: bool,
        effort: float | None = None,
    ) -> None:
        self._effort = effort
        self._collection = collection
        self._vector = vector
        self._target = target
        self._filter = filter
        self._by_asset = by_asset

    def window(self, place: Place, size: int, trace: Trace) -> Window:
        """The window that is open at `place`, or the next `size` groups after it."""
        depth = min(place.depth + (4 * size + 16 if self._by_asset else size + 1), DEEPEST)
        while True:
            with trace.stage("retrieve", self._vector) as step:
                result = self._collection.search(
                    self._target,
                    vector=self._vector,
                    filter=self._filter,
                    limit=depth,
                    effort=self._effort,
                )
                step.count = len(result.hits)
                step.note = f"{result.way}, {'exact' if result.exact else 'approximate'}"
            all_seen = len(result.hits) < depth
            window = self._cut(result.hits, place, size, depth >= DEEPEST, result.warnings)
            if window.more or all_seen or window.cut:
                return window
            depth = min(4 * depth, DEEPEST)

    def _cut(
        self, hits: Sequence[Hit], place: Place, size: int, cut: bool, warnings: list[str]
    ) -> Window:
        first = _reached(hits, place.start)
        # A group belongs where its best point is: what was seen earlier does not come again.
        seen = {self._name(hit) for hit in hits[:first]}
        bests: dict[str, Hit] = {}
        for hit in hits[first:]:
            if self._name(hit) not in seen:
                bests.setdefault(self._name(hit), hit)
        firsts = list(bests.values())[:size]
        end = place.end or _last_key(firsts if len(bests) > size else hits)
        depth = _reached(hits, end)
        groups = grouped(
            [
                Candidate(hit, {self._vector: hit.score})
                for hit in hits[first:depth]
                if self._name(hit) not in seen
            ],
            by_asset=self._by_asset,
        )
        return Window(groups, end, depth, len(bests) > len(groups), cut, warnings)

    def _name(self, hit: Hit) -> str:
        return group_name(hit, by_asset=self._by_asset)


def _key(hit: Hit) -> tuple[float, UUID]:
    return -hit.score, hit.id


def _reached(hits: Sequence[Hit], key: Key | None) -> int:
    """How many of the hits stand at the key or before it."""
    return 0 if key is None else bisect_right(hits, key, key=_key)


def _last_key(hits: Sequence[Hit]) -> Key | None:
    return _key(hits[-1]) if hits else None
