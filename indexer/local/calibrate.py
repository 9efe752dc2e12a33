"""Calibration: how much of a segment's index must be searched to find what an exact scan finds.

Measured when the segment is built, for every kind of query that `trial` makes. Which kind a query
is like shows in its affinity, its product with the nearest centroid: the lower, the harder it is.
Looked at are the lists that are nearly as near as the nearest one, in standard deviations of the
query's products with all: few for a query among the vectors, many for one that is about as far from
everything. What a query needs in this unit hardly depends on its kind. Of the queries that need
most, few have much to find in their farther lists, and they alone make the slowest searches slow.
So there is a bound, too, for the number of lists.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from indexer.local import faiss_index
from indexer.local.faiss_index import MOST_EF, Floats, Index
from indexer.local.options import IndexKind
from indexer.local.trial import Queries, Source, Trial
from indexer.local.view import Ints

TIERS = {10: 256, 40: 64, 160: 32, 640: 16}
"""Numbers of neighbours for which recall is measured, and by how many queries of each kind."""
_DEPTHS = (3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 200, 300)
"""Candidates rescored, for each neighbour wanted."""
_MOST_TIMES = {"sq8": 10, "ivf-sq8": 10}
"""At most so many of them, where codes are that exact."""
_LEAST_DEPTH, _MOST_DEPTH = 30, 6400
_STEP = 2**0.25
"""Times as much is looked at, from step to step."""
_MOST_LISTS = 1.25
"""Times as many lists as the queries of a trial look at on average, at most."""
_LEAST_EF = 64
_EVERYWHERE = 1e6
"""Standard deviations: of n numbers, no two are more than the root of 2 n apart."""
_ENOUGH = 0.9995
_ERRORS = 3.0
"""Standard errors below the mean: Student's t at 99 %, of eight groups."""
_TAKEN = 0.05
"""The share of harder queries that may be taken for easier ones."""
_ROW_COST = {"rabitq": 0.04, "ivf-rabitq": 0.04, "sq8": 0.06, "ivf-sq8": 0.06, "hnsw-sq8": 2.0}
"""Microseconds of one core for each vector looked at (of a graph, for each step of `ef`); their
ratios decide."""
_RESCORE_COST = 1.0


@dataclass(frozen=True)
class Look:
    """At the lists that are at most `reach` behind the nearest, as `_behind` measures.

    At no more than `most` of them; in a graph, which has no lists, `most` is `ef`.
    """

    reach: float
    most: int

    def probes(self, near: Floats) -> Ints:
        """How many lists that is (or `ef`), int64 `[n]`, for queries of these products `[n, m]`."""
        if not near.shape[1]:
            return np.full(len(near), self.most)
        within: Ints = np.count_nonzero(_behind(near) <= self.reach, axis=1)
        return np.minimum(within, self.most)


@dataclass(frozen=True)
class Level(Look):
    """A way to search: where to look, and `depth` candidates rescored.

    `recalls` are bounds below the recall for each kind of query, the hardest first.
    """

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

    def kind(self, near: Floats) -> int:
        """Of the query of these products with the centroids; 0 is the hardest."""
        return bisect_right(self.least, near.max(initial=-1.0))

    def levels(self, neighbours: float, kind: int = 0) -> Sequence[Level]:
        """Those for so many neighbours, of rising recall; none when they are too many."""
        found = next((levels for k, levels in self.tiers.items() if k >= neighbours), ())
        return _rising(found, kind)

    def reaches(self, recall: float) -> bool:
        """Whether some level finds that share of the nearest few, whatever the query."""
        return any(level.recall() >= recall for level in self.levels(1))

    def dump(self) -> str:
        tiers = {
            k: [(level.reach, level.most, level.depth, *level.recalls) for level in levels]
            for k, levels in self.tiers.items()
        }
        return json.dumps({"text": self.text, "tiers": tiers, "least": self.least})

    @classmethod
    def load(cls, text: str) -> "Calibration":
        found = json.loads(text)
        tiers = {
            int(k): [Level(reach, most, n, tuple(recalls)) for reach, most, n, *recalls in levels]
            for k, levels in found["tiers"].items()
        }
        return cls(found["text"], tiers, tuple(found.get("least", ())))


@dataclass(frozen=True)
class _Group:
    """The queries of one kind, their true neighbours, and their products with the centroids."""

    queries: Queries
    truth: Ints
    near: Floats

    def first(self, count: int) -> "_Group":
        return _Group(self.queries.first(count), self.truth[:count], self.near[:count])


def calibrate(
    index: Index,
    kind: IndexKind,
    rows: int,
    trial: Trial,
    *,
    threads: int = 0,
) -> Calibration:
    """Compare an index of so many rows with an exact scan of them; `threads` 0 is one per core."""
    centroids = faiss_index.centroids(index)
    groups = [
        _Group(k.queries, k.truth, faiss_index.products(centroids, k.queries.vectors))
        for k in trial.kinds
    ]
    ask = partial(faiss_index.search, index, threads=threads)
    steps = _graph_steps() if faiss_index.is_graph(index) else _list_steps(groups, rows)
    tiers = {}
    for k, count in TIERS.items():
        some = [group.first(count) for group in groups]
        tiers[k] = _frontier(_measured(ask, kind, k, rows, some, steps), kind)
        if k >= rows:
            break
    return Calibration(trial.source, tiers, _least(index, groups))


def _least(index: Index, groups: Sequence[_Group]) -> tuple[float, ...]:
    """For each kind but the hardest, an affinity that few queries of harder kinds have."""
    if faiss_index.is_graph(index):
        return ()
    harder = [float(np.quantile(group.near.max(axis=1), 1 - _TAKEN)) for group in groups[:-1]]
    return tuple(accumulate(harder, max))


def _graph_steps() -> list[tuple[Look, float]]:
    """Where to look, rising, and at how much that is."""
    steps = range(int(math.log2(MOST_EF / _LEAST_EF)) + 1)
    return [(Look(0.0, _LEAST_EF << step), float(_LEAST_EF << step)) for step in steps]


def _list_steps(groups: Sequence[_Group], rows: int) -> list[tuple[Look, float]]:
    """The same, of lists: those that hold so many rows for the queries of a trial, on average."""
    behind = _behind(np.concatenate([group.near for group in groups]))
    lists = behind.shape[1]
    counts = _STEP ** np.arange(math.ceil(math.log(lists, _STEP)))
    reaches = np.quantile(behind, counts / lists).tolist()
    most = np.ceil(np.minimum(_MOST_LISTS * counts, lists)).astype(int).tolist()
    looked_at = (counts * rows / lists).tolist()
    looks = map(Look, [*reaches, _EVERYWHERE], [*most, lists])
    return [*zip(looks, [*looked_at, float(rows)], strict=True)]


def _behind(near: Floats) -> Floats:
    """How far each list is behind the nearest, in standard deviations of the products `[n, m]`."""
    spread = np.maximum(near.std(axis=1, keepdims=True), 1e-9)
    behind: Floats = (near.max(axis=1, keepdims=True) - near) / spread
    return behind


def _measured(
    ask: Callable[..., Ints],
    kind: IndexKind,
    k: int,
    rows: int,
    groups: Sequence[_Group],
    steps: Sequence[tuple[Look, float]],
) -> Iterator[tuple[float, Level]]:
    """Levels, and how much they look at."""
    times = [n for n in _DEPTHS if n <= _MOST_TIMES.get(kind, n)]
    depths = sorted({min(max(_LEAST_DEPTH, n * k), _MOST_DEPTH) for n in times})
    recalls: list[list[float]] = [[] for _ in groups]
    for look, looked_at in steps:
        if kind == "hnsw-sq8":  # which is searched better the more is asked for
            depths = [max(_LEAST_DEPTH, k, look.most)]
        for number, group in enumerate(groups):
            if recalls[number] and recalls[number][-1] >= _ENOUGH:
                continue  # a level that costs more will not be chosen for it
            depth, probes = min(depths[-1] + 1, rows), look.probes(group.near)
            found = ask(group.queries.vectors, group.near, depth, probes)
            recalls[number] = _recalls(found, group.queries, group.truth[:, :k], depths)
        for depth, *some in zip(depths, *recalls, strict=True):
            yield looked_at, Level(look.reach, look.most, depth, tuple(some))
        if min(recall[-1] for recall in recalls) >= _ENOUGH:
            return


def _recalls(found: Ints, queries: Queries, truth: Ints, depths: Sequence[int]) -> list[float]:
    """For each depth the share of the neighbours among the candidates; bounds below the means.

    Another group of queries would have another mean, so what groups differ by, beyond what few
    queries make them differ by, is an error, too.
    """
    places = [
        _places(row[row != own], wanted[wanted >= 0])
        for row, wanted, own in zip(found, truth, queries.own, strict=True)
    ]
    return [_bound(_shares(places, depth), queries.groups) for depth in depths]


def _places(row: Ints, wanted: Ints) -> Ints:
    """Where each of those wanted is in a row of candidates; beyond its end if nowhere."""
    order = np.argsort(row)
    found = order[np.minimum(np.searchsorted(row, wanted, sorter=order), len(row) - 1)]
    return np.where(row[found] == wanted, found, _MOST_DEPTH)


def _shares(places: Sequence[Ints], depth: int) -> NDArray[np.float64]:
    return np.array([(some < depth).mean() if len(some) else 1.0 for some in places])


def _bound(shares: NDArray[np.float64], count: int) -> float:
    groups = [shares[first::count] for first in range(min(count, len(shares)))]
    alone = float(np.mean([group.var() / len(group) for group in groups]))
    between = max(0.0, float(np.var([group.mean() for group in groups])) - alone)
    error = math.sqrt(alone / len(groups) + between)
    return float(round(shares.mean() - _ERRORS * error, 4))


def _frontier(measured: Iterable[tuple[float, Level]], kind: IndexKind) -> list[Level]:
    """Those that no cheaper one equals, for some kind of query, by rising cost."""
    costs = {
        level: looked_at * _ROW_COST[kind] + level.depth * _RESCORE_COST
        for looked_at, level in measured
    }
    by_cost = sorted(costs, key=costs.__getitem__)
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
