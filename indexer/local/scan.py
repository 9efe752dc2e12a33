"""Exact search: candidates by a float32 scan, then their scores in float64 and their order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionDamaged
from indexer.local.view import Bools, Ints, Vectors

Floats = NDArray[np.float32]

_GATHER_SHARE = 0.25
"""Below this share of matching rows, gathering them is cheaper than scanning all."""
_GATHER_ROWS = 4096


def scan(vectors: Vectors, query: Floats, wanted: Bools, limit: int, first: int = 0) -> Ints:
    """Positions of the best rows: all that may be among the first `limit` of those wanted.

    `query` is a unit float32 `[dim]`, `wanted` bool `[n]` for the rows from `first` on. The scores
    are float32 sums whose last digits depend on where a row stands, so rows within their error of
    the last are included.
    """
    count = int(np.count_nonzero(wanted))
    limit = min(limit, count)
    if count == 0:
        return np.empty(0, np.int64)
    if count < _GATHER_SHARE * len(wanted):
        return narrowed(vectors, query, np.flatnonzero(wanted) + first, limit)
    scores = np.empty(len(wanted), np.float32)
    for start, block in zip(vectors.starts - first, vectors.blocks.values(), strict=True):
        skipped = max(0, -start)
        if skipped < len(block):
            _dot(block[skipped:], query, scores[start + skipped : start + len(block)])
    if count < len(wanted):
        scores[~wanted] = -np.inf
    return _best(scores, query, limit) + first


def narrowed(vectors: Vectors, query: Floats, positions: Ints, limit: int) -> Ints:
    """Those of the positions that may be among the first `limit` of them."""
    if len(positions) <= limit:
        return positions
    return positions[_best(_gathered_scores(vectors, query, positions), query, limit)]


def exact_scores(vectors: Vectors, query: Floats, positions: Ints) -> NDArray[np.float64]:
    """Cosines, float64 `[m]`; the same for equal vectors, wherever they stand."""
    scores = np.empty(len(positions))
    precise = query.astype(np.float64)
    for start in range(0, len(positions), _GATHER_ROWS):
        part = slice(start, start + _GATHER_ROWS)
        rows = vectors.gather(positions[part]).astype(np.float64)
        rows *= precise
        rows.sum(axis=1, out=scores[part])
    _check_finite(scores)
    return scores.clip(-1.0, 1.0)


def _gathered_scores(vectors: Vectors, query: Floats, positions: Ints) -> Floats:
    scores = np.empty(len(positions), np.float32)
    for start in range(0, len(positions), _GATHER_ROWS):
        part = slice(start, start + _GATHER_ROWS)
        rows = vectors.gather(positions[part])
        # Not `dot`: the threads of BLAS take longer to wake than so few rows take.
        with np.errstate(invalid="ignore"):
            np.vecdot(rows, query, out=scores[part])
    return scores


def _dot(rows: Floats, query: Floats, scores: Floats) -> None:
    # Some processors' BLAS kernels say "invalid value" of padding that is in no result; whether the
    # results are finite is looked at by itself.
    with np.errstate(invalid="ignore"):
        np.dot(rows, query, out=scores)


def _best(scores: Floats, query: Floats, limit: int) -> Ints:
    _check_finite(scores.max())
    last = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    # The bound of a float32 dot product of unit vectors, for both sides of the comparison.
    error = len(query) * np.finfo(np.float32).eps
    return np.flatnonzero(scores >= last - error)


def _check_finite(scores: NDArray[Any] | np.floating[Any]) -> None:
    if not np.isfinite(scores).all():
        raise CollectionDamaged("a stored vector has NaN or infinite values; run verify")
