"""Exact search as ground truth: every stored vector against every query."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer import Collection, Record

Rows = NDArray[np.float32]

PAGE = 1_000
KEPT = 256  # points a query, of which assets are made


class Exact:
    """The best points of a collection for each query, seen one page at a time.

    Memory is that of the answers, not of the collection.
    """

    def __init__(self, queries: Rows) -> None:
        """`queries` are unit rows `[n, dim]`."""
        self._queries = queries
        self._scores = np.empty((len(queries), 0), dtype=np.float32)
        self._assets = np.empty((len(queries), 0), dtype=object)

    def see(self, records: Sequence[Record], vector: str) -> None:
        """Take in some points; those without the vector are nowhere, as in a search."""
        held = [record for record in records if vector in record.vectors]
        if not held:
            return
        rows = np.stack([record.vectors[vector] for record in held])
        names = np.array([record.asset for record in held], dtype=object)
        assets = np.broadcast_to(names, (len(self._queries), len(held)))
        scores = np.concatenate([self._scores, self._queries @ rows.T], axis=1)
        assets = np.concatenate([self._assets, assets], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :KEPT]
        self._scores = np.take_along_axis(scores, order, axis=1)
        self._assets = np.take_along_axis(assets, order, axis=1)

    def assets(self, query: int, limit: int) -> list[str]:
        """The `limit` best assets of a query by number, each once, best first."""
        return list(dict.fromkeys(self._assets[query]))[:limit]


def pages(collection: Collection, vector: str) -> Iterator[Sequence[Record]]:
    """All records with that vector, in order of their ids."""
    after = None
    while True:
        page = collection.scroll(limit=PAGE, after=after, with_vectors=[vector])
        yield page.records
        after = page.next
        if after is None:
            return
