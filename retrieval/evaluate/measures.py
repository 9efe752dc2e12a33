"""Measures of one ranked list against judgements, each 0 to 1.

`gains[i]` is the grade of the i-th hit, 0 for one that is not relevant; `ideal` lists the grades of
everything relevant. See Manning, Raghavan and Schütze 2008, chapter 8.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def recall(gains: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """The share of what is relevant that the first `k` hits show."""
    return sum(gain > 0 for gain in gains[:k]) / len(ideal)


def reciprocal_rank(gains: Sequence[float]) -> float:
    """1 / the rank of the first relevant hit, 0 without one."""
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain > 0), 0.0)


def ndcg(gains: Sequence[float], ideal: Sequence[float], k: int) -> float:
    """Discounted cumulative gain of the first `k`, over that of the best order (Järvelin 2002)."""
    best = sorted(ideal, reverse=True)
    return _discounted(gains[:k]) / _discounted(best[:k])


def average_precision(relevant: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The mean over everything relevant of the precision down to its rank; `[n]` each."""
    ordered = relevant[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean()) if ordered.any() else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 1) for rank, gain in enumerate(gains, 1)))
