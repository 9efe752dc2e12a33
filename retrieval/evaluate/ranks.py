"""The rank of the first right answer: the basis of recall in CLIP-like papers.

Recall@k of the public protocols is the share of queries with at least one right answer among the
first k, not the share of all right answers that are found.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

BLOCK = 1 << 25  # scores computed at a time: 128 MB


def recall_at(ranks: NDArray[np.int64], k: int) -> float:
    """The share of queries whose first right answer is among the first `k`, 0 to 1."""
    return float((ranks <= k).mean())


def first_ranks(
    queries: Rows, gallery: Rows, right: Sequence[NDArray[np.int64]], *, dual_softmax: bool = False
) -> NDArray[np.int64]:
    """The rank, from 1, of each query's first right answer.

    `queries` `[n, dim]` and `gallery` `[m, dim]` are unit rows; `right[i]` are positions in the
    gallery, at least one. Equal scores are ordered by position. With `dual_softmax` each score is
    first multiplied by its softmax over all queries, see `dual_softmax_scores`.
    """
    totals = _totals(queries, gallery) if dual_softmax else None
    ranks = np.empty(len(queries), dtype=np.int64)
    for start, scores in _blocks(queries, gallery):
        if totals is not None:
            scores = dual_softmax_scores(scores, totals)
        for row, score in enumerate(scores, start):
            ranks[row] = _first_rank(score, right[row])
    return ranks


def dual_softmax_scores(scores: Rows, totals: Rows) -> Rows:
    """Cosines `[n, m]` times their softmax over all queries, without a temperature.

    `totals` `[m]` is the sum over all queries of exp(cosine). It lowers what every query likes
    (Cheng et al. 2021, arXiv:2109.04290); all queries must be known, so it belongs to benchmarks,
    not to search.
    """
    return np.asarray(scores * (np.exp(scores) / totals))


def _first_rank(scores: Rows, right: NDArray[np.int64]) -> int:
    best = right[np.argmax(scores[right])]
    before = np.flatnonzero(scores == scores[best])
    return 1 + int((scores > scores[best]).sum()) + int((before < best).sum())


def _totals(queries: Rows, gallery: Rows) -> Rows:
    """The sum over the queries of exp(cosine), `[m]`; nothing overflows."""
    totals = np.zeros(len(gallery))
    for _, scores in _blocks(queries, gallery):
        totals += np.exp(scores).sum(axis=0, dtype=np.float64)
    return totals.astype(np.float32)


def _blocks(queries: Rows, gallery: Rows) -> Iterator[tuple[int, Rows]]:
    """Position of the first query and the scores of some queries, in order."""
    step = max(1, BLOCK // max(1, len(gallery)))
    for start in range(0, len(queries), step):
        yield start, queries[start : start + step] @ gallery.T
