"""Calibration: how much of a segment's index must be looked at to find what an exact scan finds.

Measured when the segment is built, for every kind of query that `trial` makes. Which kind a query
is like shows in its affinity, its product with the nearest centroid: the lower, the harder it is.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from indexer.local import faiss_index
from indexer.local.faiss_index import Index
from indexer.local.options import IndexKind
from indexer.local.trial import Kind, Queries, Source, Trial
from indexer.local.view import Ints

TIERS = {10: 128, 40: 64, 160: 32, 640: 16}
"""Numbers of neighbours for which recall is measured, and by how many queries of each kind."""
_DEPTHS = (3, 10, 15, 20, 30, 60, 100, 300)
"""Candidates rescored, for each neighbour wanted."""
_LEAST_DEPTH, _MOST_DEPTH = 100, 6400
_ENOUGH = 0.9995
_ERRORS = 2.4
"""Standard errors below the mean: Student's t at 97.5 %, of eight groups."""
_TAKEN = 0.05
"""The share of harder queries that may be taken for easier ones."""
_ROW_COST = {"rabitq": 0.045, "ivf-rabitq": 0.045, "sq8": 0.18, "ivf-sq8": 0.18, "hnsw-sq8": 6.0}
"""Microseconds of one core for each vector looked at (of a graph, for each step of `ef`); their
ratios decide."""
_RESCORE_COST = 1.0


@dataclass(frozen=True)
class Level:
    """A way to search: `probe` lists (or `ef`), `depth` candidates rescored.

    `recalls` are bounds below the recall for each kind of query, the hardest first.
    """

    probe: int
    depth: int
    recalls: tuple[float, ...]

    def recall(self, kind: int = 0) -> float:
        """For queries of this kind and easier ones."""
        return min(self.recalls[kind:])


@dataclass(frozen=True)
class Calibration:
    """For each number of neighbours, levels of rising cost.

    `text` says whether the text queries were texts of the collection or made up. `least` are the
    affinities from which a query is of kind 1, 2 and so on, rising; none where they cannot tell.
    """

    text: Source
    tiers: Mapping[int, Sequence[Level]]
    least: tuple[float, ...] = ()

    def kind(self, affinity: float) -> int:
        """Of a query of this affinity; 0 is the hardest."""
        return bisect_right(self.least, affinity)

    def levels(self, neighbours: float, kind: int = 0) -> Sequence[Level]:
        """Those for so many neighbours, of rising recall; none when they are too many."""
        found = next((levels for k, levels in self.tiers.items() if k >= neighbours), ())
        return _rising(found, kind)

    def reaches(self, recall: float) -> bool:
        """Whether some level finds that share of the nearest few, whatever the query."""
        return any(level.recall() >= recall for level in self.levels(1))

    def dump(self) -> str:
        tiers = {
            k: [(level.probe, level.depth, *level.recalls) for level in levels]
            for k, levels in self.tiers.items()
        }
        return json.dumps({"text": self.text, "tiers": tiers, "least": self.least})

    @classmethod
    def load(cls, text: str) -> "Calibration":
        found = json.loads(text)
        tiers = {
            int(k): [Level(probe, depth, tuple(recalls)) for probe, depth, *recalls in levels]
            for k, levels in found["tiers"].items()
        }
        return cls(found["text"], tiers, tuple(found.get("least", ())))


def calibrate(
    index: Index, kind: IndexKind, rows: int, trial: Trial, stop: faiss_index.Stop = lambda: False
) -> Calibration:
    """Compare an index of so many rows with an exact scan of them."""
    tiers = {}
    for k, count in TIERS.items():
        measured = list(_measured(index, k, count, rows, trial.kinds, stop))
        tiers[k] = _frontier(measured, kind, rows, faiss_index.probes(index)[-1])
        if k >= rows:
            break
    return Calibration(trial.source, tiers, _least(index, trial.kinds))


def _least(index: Index, kinds: Sequence[Kind]) -> tuple[float, ...]:
    """For each kind but the hardest, an affinity that few queries of harder kinds have."""
    if faiss_index.is_graph(index):
        return ()
    harder = [
        float(np.quantile(faiss_index.affinities(index, kind.queries.vectors), 1 - _TAKEN))
        for kind in kinds[:-1]
    ]
    return tuple(accumulate(harder, max))


def _measured(
    index: Index, k: int, count: int, rows: int, kinds: Sequence[Kind], stop: faiss_index.Stop
) -> Iterator[Level]:
    depths = sorted({min(max(_LEAST_DEPTH, n * k), _MOST_DEPTH) for n in _DEPTHS})
    recalls: list[list[float]] = [[] for _ in kinds]
    for probe in faiss_index.probes(index):
        if stop():
            raise faiss_index.Stopped
        if faiss_index.is_graph(index):  # which is searched better the more is asked for
            depths = [max(_LEAST_DEPTH, k, probe)]
        for number, (queries, truth) in enumerate((kind.queries, kind.truth) for kind in kinds):
            if recalls[number] and recalls[number][-1] >= _ENOUGH:
                continue  # a level that costs more will not be chosen for it
            depth = min(depths[-1] + 1, rows)
            found = faiss_index.search(index, queries.vectors[:count], depth, probe)
            recalls[number] = [_recall(found, queries, truth[:count, :k], d) for d in depths]
        for depth, *some in zip(depths, *recalls, strict=True):
            yield Level(probe, depth, tuple(some))
        if min(recall[-1] for recall in recalls) >= _ENOUGH:
            return


def _recall(found: Ints, queries: Queries, truth: Ints, depth: int) -> float:
    """The share of each query's neighbours among its candidates; a bound below the mean.

    Another group of queries would have another mean, so what groups differ by, beyond what few
    queries make them differ by, is an error, too.
    """
    rows = zip(found, (t[t >= 0] for t in truth), queries.own, strict=False)
    shares = np.array(
        [
            np.isin(wanted, row[row != own][:depth]).mean() if len(wanted) else 1.0
            for row, wanted, own in rows
        ]
    )
    groups = [shares[first :: queries.groups] for first in range(min(queries.groups, len(shares)))]
    alone = float(np.mean([group.var() / len(group) for group in groups]))
    between = max(0.0, float(np.var([group.mean() for group in groups])) - alone)
    error = math.sqrt(alone / len(groups) + between)
    return float(round(shares.mean() - _ERRORS * error, 4))


def _frontier(levels: Sequence[Level], kind: IndexKind, rows: int, most: int) -> list[Level]:
    """Those that no cheaper one equals, for some kind of query, by rising cost."""

    def cost(level: Level) -> float:
        looked_at = level.probe if kind == "hnsw-sq8" else rows * level.probe / most
        return looked_at * _ROW_COST[kind] + level.depth * _RESCORE_COST

    by_cost = sorted(levels, key=cost)
    kinds = range(len(by_cost[0].recalls))
    kept = {level for number in kinds for level in _rising(by_cost, number)}
    return [level for level in by_cost if level in kept]


def _rising(levels: Sequence[Level], kind: int) -> list[Level]:
    """Those of higher recall than all before."""
    kept: list[Level] = []
    for level in levels:
        if not kept or level.recall(kind) > kept[-1].recall(kind):
            kept.append(level)
    return kept
