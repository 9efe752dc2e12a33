"""Calibration: how much of a segment's index must be looked at to find what an exact scan finds.

Measured when the segment is built, with queries like its images and queries like texts: an index
tuned on the first alone fails the second, which lie far from everything stored (the modality gap of
dual encoders: Liang et al., arXiv:2203.02053).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.local import faiss_index
from indexer.local.faiss_index import Floats, Index
from indexer.local.options import IndexKind
from indexer.local.view import Ints

TIERS = {10: 128, 40: 64, 160: 32, 640: 16}
"""Numbers of neighbours for which recall is measured, and by how many queries of each kind."""
_DEPTHS = (3, 10, 15, 20, 30, 60, 100, 300)
"""Candidates rescored, for each neighbour wanted."""
_LEAST_DEPTH, _MOST_DEPTH = 100, 6400
_ENOUGH = 0.9995
_GAPS = 8
_ERRORS = 2.4
"""Standard errors below the mean: Student's t at 97.5 %, of eight groups."""
_ROW_COST = {"rabitq": 0.045, "ivf-rabitq": 0.045, "sq8": 0.18, "ivf-sq8": 0.18, "hnsw-sq8": 6.0}
"""Microseconds of one core for each vector looked at (of a graph, for each step of `ef`); their
ratios decide."""
_RESCORE_COST = 1.0
_NEAR = 0.1
"""The share of queries like images that may be taken for others, which costs them time alone."""

Source = Literal["stored", "made"]


@dataclass(frozen=True)
class Level:
    """A way to search: `probe` lists (or `ef`), `depth` candidates rescored.

    `image` and `text` are bounds below the recall: what was measured, less its errors.
    """

    probe: int
    depth: int
    image: float
    text: float

    def recall(self, *, near: bool = False) -> float:
        """Of a query that is `near` the vectors stored, as images are; else of any."""
        return self.image if near else min(self.image, self.text)


@dataclass(frozen=True)
class Calibration:
    """For each number of neighbours, levels of rising cost.

    `text` says whether the text queries were texts of the collection or made up. A query of at
    least the affinity `near` is like images; None where affinity does not tell.
    """

    text: Source
    tiers: Mapping[int, Sequence[Level]]
    near: float | None = None

    def levels(self, neighbours: float, *, near: bool = False) -> Sequence[Level]:
        """Those for so many neighbours, of rising recall; none when they are too many."""
        found = next((levels for k, levels in self.tiers.items() if k >= neighbours), ())
        return _rising(found, near=near)

    def reaches(self, recall: float) -> bool:
        """Whether some level finds that share of the nearest few."""
        return any(level.recall() >= recall for level in self.levels(1))

    def dump(self) -> str:
        tiers = {k: [astuple(level) for level in levels] for k, levels in self.tiers.items()}
        return json.dumps({"text": self.text, "tiers": tiers, "near": self.near})

    @classmethod
    def load(cls, text: str) -> "Calibration":
        found = json.loads(text)
        tiers = {
            int(k): [Level(*level) for level in levels] for k, levels in found["tiers"].items()
        }
        return cls(found["text"], tiers, found.get("near"))


@dataclass(frozen=True)
class Queries:
    """Unit float32 `[n, dim]`, and the id of the row that each is made of: no answer to it.

    Every query in so many `groups`, taken in turn, has something in common.
    """

    vectors: Floats
    own: Ints
    groups: int = 1

    def __len__(self) -> int:
        return len(self.own)


@dataclass(frozen=True)
class Trial:
    """What indexes over the same rows are measured by.

    `source` says where the `texts` are from; `truths` are the ids of the nearest rows of each query
    of `images` and of `texts`, int64 `[n, m]`, best first, not its own, -1 at ends.
    """

    images: Queries
    texts: Queries
    source: Source
    truths: Sequence[Ints]

    @classmethod
    def over(
        cls,
        images: Queries,
        texts: Queries,
        source: Source,
        rows: int,
        parts: Callable[[], Iterator[tuple[Ints, Floats]]],
        stop: faiss_index.Stop = lambda: False,
    ) -> "Trial":
        """With the answers of an exact scan of all `rows`; `parts` yields ids and vectors."""
        most = min(max(TIERS), rows)
        truths = [_nearest(queries, parts(), most, stop) for queries in (images, texts)]
        return cls(images, texts, source, truths)


def image_like(ids: Ints, vectors: Floats, random: np.random.Generator) -> Queries:
    """Each a stored vector, moved along the difference of two others: still like the data."""
    moved = vectors + 0.4 * _unit(vectors[random.permutation(len(ids))] - np.roll(vectors, 1, 0))
    return Queries(_unit(moved), ids)


def text_like(ids: Ints, vectors: Floats, random: np.random.Generator) -> Queries:
    """Each partly between stored vectors, and partly away from all of them, in common and alone.

    In which direction the gap lies decides over the errors of the codes, so there are several; a
    collection's own texts have one, which may be among the worse.
    """
    gaps = _unit(random.normal(size=(_GAPS, vectors.shape[1])))
    common = gaps[np.arange(len(ids)) % _GAPS]
    alone = _unit(random.normal(size=vectors.shape))
    between = _unit(vectors + 0.5 * vectors[random.permutation(len(ids))])
    return Queries(_unit(0.4 * between + 0.7 * common + 0.6 * alone), ids, _GAPS)


def calibrate(
    index: Index, kind: IndexKind, rows: int, trial: Trial, stop: faiss_index.Stop = lambda: False
) -> Calibration:
    """Compare an index of so many rows with an exact scan of them."""
    tiers = {}
    for k, count in TIERS.items():
        measured = list(_measured(index, k, count, rows, trial, stop))
        tiers[k] = _frontier(measured, kind, rows, faiss_index.probes(index)[-1])
        if k >= rows:
            break
    return Calibration(trial.source, tiers, _near(index, trial))


def _near(index: Index, trial: Trial) -> float | None:
    """The affinity that most queries like images have, and none like texts."""
    images, texts = (
        faiss_index.affinities(index, some.vectors) for some in (trial.images, trial.texts)
    )
    least = float(np.quantile(images, _NEAR))
    return least if least > texts.max() else None


def _measured(
    index: Index, k: int, count: int, rows: int, trial: Trial, stop: faiss_index.Stop
) -> Iterator[Level]:
    depths = sorted({min(max(_LEAST_DEPTH, n * k), _MOST_DEPTH) for n in _DEPTHS})
    for probe in faiss_index.probes(index):
        if stop():
            raise faiss_index.Stopped
        if faiss_index.is_graph(index):  # which is searched better the more is asked for
            depths = [max(_LEAST_DEPTH, k, probe)]
        recalls = []
        for queries, truth in zip((trial.images, trial.texts), trial.truths, strict=True):
            depth = min(depths[-1] + 1, rows)
            found = faiss_index.search(index, queries.vectors[:count], depth, probe)
            recalls.append([_recall(found, queries, truth[:count, :k], d) for d in depths])
        for depth, image, text in zip(depths, *recalls, strict=True):
            yield Level(probe, depth, image, text)
        if min(recall[-1] for recall in recalls) >= _ENOUGH:
            return


def _recall(found: Ints, queries: Queries, truth: Ints, depth: int) -> float:
    """The share of each query's neighbours among its candidates; a bound below the mean.

    Another group of queries would have another mean, so what groups differ by, beyond what few
    queries make them differ by, is an error, too.
    """
    shares = np.array(
        [
            np.isin(wanted, row[row != own][:depth]).mean() if len(wanted) else 1.0
            for row, wanted, own in zip(
                found, (t[t >= 0] for t in truth), queries.own, strict=False
            )
        ]
    )
    groups = [shares[first :: queries.groups] for first in range(min(queries.groups, len(shares)))]
    alone = float(np.mean([group.var() / len(group) for group in groups]))
    between = max(0.0, float(np.var([group.mean() for group in groups])) - alone)
    error = math.sqrt(alone / len(groups) + between)
    return float(round(shares.mean() - _ERRORS * error, 4))


def _frontier(levels: Sequence[Level], kind: IndexKind, rows: int, most: int) -> list[Level]:
    """Those that no cheaper one equals, for one kind of query or the other, by rising cost."""

    def cost(level: Level) -> float:
        looked_at = level.probe if kind == "hnsw-sq8" else rows * level.probe / most
        return looked_at * _ROW_COST[kind] + level.depth * _RESCORE_COST

    by_cost = sorted(levels, key=cost)
    kept = {*_rising(by_cost, near=True), *_rising(by_cost, near=False)}
    return [level for level in by_cost if level in kept]


def _rising(levels: Sequence[Level], *, near: bool) -> list[Level]:
    """Those of higher recall than all before."""
    kept: list[Level] = []
    for level in levels:
        if not kept or level.recall(near=near) > kept[-1].recall(near=near):
            kept.append(level)
    return kept


def _nearest(
    queries: Queries, parts: Iterator[tuple[Ints, Floats]], most: int, stop: faiss_index.Stop
) -> Ints:
    """The ids of the `most` nearest rows of each query, best first; not its own; -1 at ends."""
    best = np.full((len(queries), 0), -np.inf, np.float32)
    found = np.empty((len(queries), 0), np.int64)
    for ids, vectors in parts:
        if stop():
            raise faiss_index.Stopped
        scores = queries.vectors @ vectors.T
        scores[queries.own[:, None] == ids] = -np.inf
        best = np.concatenate([best, scores], axis=1)
        found = np.concatenate([found, np.broadcast_to(ids, scores.shape)], axis=1)
        kept = min(most, best.shape[1])
        order = np.argpartition(-best, kept - 1, axis=1)[:, :kept]
        best, found = np.take_along_axis(best, order, 1), np.take_along_axis(found, order, 1)
    order = np.argsort(-best, axis=1)
    found = np.take_along_axis(found, order, 1)
    found[np.isneginf(np.take_along_axis(best, order, 1))] = -1
    return found


def _unit(rows: NDArray[Any]) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = (rows / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled
