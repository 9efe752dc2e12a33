"""Trial queries of several kinds with their exact answers, to measure indexes.

Queries like images lie among what is stored. Queries like texts lie far from all of it (the
modality gap of dual encoders: Liang et al., arXiv:2203.02053), and an index tuned on the first
alone fails them; how far depends on the encoder and the text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.local.faiss_index import Floats
from indexer.local.view import Ints

_STRENGTHS = (0.4, 0.5)
"""How much of a made-up text is of what is stored: its share of the unit norm."""
_GAPS = 8

Source = Literal["stored", "made"]
Parts = Callable[[], Iterator[tuple[Ints, Floats]]]


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

    def first(self, count: int) -> "Queries":
        return Queries(self.vectors[:count], self.own[:count], self.groups)


@dataclass(frozen=True)
class Kind:
    """Queries of one kind; `truth` are the ids of the nearest rows of each.

    It is int64 `[n, m]`, best first, without its own row, -1 at ends.
    """

    queries: Queries
    truth: Ints


@dataclass(frozen=True)
class Trial:
    """The kinds of queries, the hardest first, images last; `source` says where texts are from."""

    kinds: Sequence[Kind]
    source: Source

    @classmethod
    def over(
        cls,
        kinds: Sequence[Queries],
        source: Source,
        most: int,
        parts: Parts,
    ) -> "Trial":
        """With the `most` best of an exact scan; `parts` yields the ids and vectors of all rows."""
        nearest = [_Nearest(queries, most) for queries in kinds]
        for ids, rows in parts():
            for one in nearest:
                one.see(ids, rows)
        return cls([Kind(one.queries, one.truth()) for one in nearest], source)


def image_like(ids: Ints, vectors: Floats, random: np.random.Generator) -> Queries:
    """Each a stored vector, moved along the difference of two others: still like the data."""
    moved = vectors + 0.4 * _unit(vectors[random.permutation(len(ids))] - np.roll(vectors, 1, 0))
    return Queries(_unit(moved), ids)


def text_like(ids: Ints, vectors: Floats, random: np.random.Generator) -> list[Queries]:
    """Each partly between stored vectors, and partly away from all of them, in common and alone.

    The farthest first. In which direction the gap lies decides over the errors of the codes, so
    there are several; a collection's own texts have one, which may be among the worse.
    """
    gaps = _unit(random.normal(size=(_GAPS, vectors.shape[1])))
    common = gaps[np.arange(len(ids)) % _GAPS]
    alone = _unit(random.normal(size=vectors.shape))
    between = _unit(vectors + 0.5 * vectors[random.permutation(len(ids))])
    away = _unit(0.7 * common + 0.6 * alone)
    return [
        Queries(_unit(share * between + np.sqrt(1 - share**2) * away), ids, _GAPS)
        for share in _STRENGTHS
    ]


class _Nearest:
    """The `most` nearest rows of each query, of those seen; not its own."""

    def __init__(self, queries: Queries, most: int) -> None:
        self.queries = queries
        self._most = most
        self._scores = np.full((len(queries), 0), -np.inf, np.float32)
        self._found = np.empty((len(queries), 0), np.int64)

    def see(self, ids: Ints, rows: Floats) -> None:
        """Rows float32 `[m, dim]` and their ids."""
        scores = self.queries.vectors @ rows.T
        scores[self.queries.own[:, None] == ids] = -np.inf
        found = np.concatenate([self._found, np.broadcast_to(ids, scores.shape)], axis=1)
        scores = np.concatenate([self._scores, scores], axis=1)
        kept = min(self._most, scores.shape[1])
        order = np.argpartition(-scores, kept - 1, axis=1)[:, :kept]
        self._scores = np.take_along_axis(scores, order, 1)
        self._found = np.take_along_axis(found, order, 1)

    def truth(self) -> Ints:
        """Their ids, see `Kind`."""
        order = np.argsort(-self._scores, axis=1)
        found = np.take_along_axis(self._found, order, 1)
        found[np.isneginf(np.take_along_axis(self._scores, order, 1))] = -1
        return found


def _unit(rows: NDArray[Any]) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = (rows / np.maximum(norms, 1e-12)).astype(np.float32)
    return scaled
