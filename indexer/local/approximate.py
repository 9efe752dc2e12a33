"""The plan of a search: an exact scan, the rows that a filter leaves, or sealed segments.

Segments only propose candidates. Their scores are computed from the raw vectors, and rows that no
segment has are scanned, so an answer can lack a point but never has a wrong score.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.local.calibrate import Level
from indexer.local.faiss_index import Floats
from indexer.local.options import IndexOptions
from indexer.local.scan import narrowed, scan
from indexer.local.segments import Sealed, Segment, Wanted
from indexer.local.view import Ints, Vectors

_SELECTIVE = 0.01


@dataclass(frozen=True)
class Effort:
    """How hard to look: `effort`, 0 to 1 (all rows), or a `recall` to reach; else the default."""

    effort: float | None = None
    recall: float | None = None

    def level(self, levels: Sequence[Level], recall: float, kind: int) -> Level | None:
        """The level of a calibration to search at; None when only a scan will do."""
        if self.effort is not None:
            place = int(self.effort * len(levels))
            return levels[place] if place < len(levels) else None
        target = self.recall if self.recall is not None else recall
        return next((level for level in levels if level.recall(kind) >= target), None)


@dataclass(frozen=True)
class Candidates:
    """Positions of rows among which the best are, and the way they were found."""

    positions: Ints
    way: str

    @property
    def exact(self) -> bool:
        return self.way != "segments"


def candidates(
    sealed: Sealed,
    vectors: Vectors,
    query: Floats,
    wanted: Wanted,
    limit: int,
    effort: Effort,
    options: IndexOptions,
) -> Candidates:
    """What a unit query `[dim]` may find among the rows wanted."""
    few = max(options.gather_rows, _SELECTIVE * len(wanted.mask))
    if wanted.count <= min(few, len(wanted.mask) - 1):
        return Candidates(scan(vectors, query, wanted.mask, limit), "filter")
    found = _from_segments(sealed, query, wanted, limit, effort, options.recall)
    if found is None:
        return Candidates(scan(vectors, query, wanted.mask, limit), "scan")
    positions = vectors.rows.positions(np.sort(found))  # in order, as they are far sooner found
    first, tail = wanted.tail
    parts = [positions[wanted.mask[positions]], scan(vectors, query, tail, limit, first)]
    both = np.unique(np.concatenate(parts))
    return Candidates(narrowed(vectors, query, both, limit), "segments")


@dataclass(frozen=True)
class _Plan:
    """How to search a segment for a query: `near` are its products, `count` rows are wanted."""

    segment: Segment
    near: Floats
    count: int
    level: Level


def _from_segments(
    sealed: Sealed, query: Floats, wanted: Wanted, limit: int, effort: Effort, recall: float
) -> Ints | None:
    """The rows that the segments propose; None when a scan is needed."""
    plans = []
    counts = zip(wanted.counts[1:].tolist(), sealed.alive.counts[1:].tolist(), strict=False)
    for segment, (count, alive) in zip(sealed.segments, counts, strict=False):
        if count:
            near, calibration = segment.products(query), segment.record.calibration
            kind = calibration.kind(near)
            # The best `limit` of a tenth of the rows are among the best `10 * limit`, roughly.
            levels = calibration.levels(limit * alive / count, kind)
            level = effort.level(levels, recall, kind)
            if level is None:
                return None
            plans.append(_Plan(segment, near, count, level))
    found = [_ask(plan, query, wanted) for plan in plans]
    whole = [part for part in found if part is not None]
    return np.concatenate(whole) if whole and len(whole) == len(found) else None


def _ask(plan: _Plan, query: Floats, wanted: Wanted) -> Ints | None:
    """The segment's candidates; as long as there are fewer than asked for, it is searched further.

    None when even all of the index has too few: a graph can lose its way among rows not wanted.
    """
    segment, near = plan.segment, plan.near
    depth = min(plan.level.depth, plan.count)
    [probe] = plan.level.probes(near).tolist()
    bitmap = None if plan.count == segment.record.rows else wanted.bitmap
    while True:
        found = segment.search(query, near, depth, probe, bitmap)
        if len(found) >= depth:
            return found
        if probe >= segment.most_probes:
            return None
        probe = min(4 * probe, segment.most_probes)
