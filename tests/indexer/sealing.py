"""Local stores in which everything is sealed before it is searched."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from indexer import IndexOptions, LocalCollection, LocalStore, SearchResult
from indexer.local.options import IndexKind


class SealingCollection(LocalCollection):
    """Seals all vectors before each search, and checks that nothing is left in the tail.

    `ways` counts how searches went.
    """

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments)
        self.ways: Counter[str] = Counter()

    def search(self, *arguments: Any, **named: Any) -> SearchResult:  # noqa: ANN401 - as they come
        self.seal()
        found = super().search(*arguments, **named)
        self.ways[found.way] += 1
        for index in self.index_info():
            assert index.tail == 0
            assert (index.rows > 0) <= (len(index.segments) > 0)
            assert all(segment.usable for segment in index.segments)
        named["effort"] = 1.0
        exact = super().search(*arguments, **named)
        assert exact.exact
        assert [hit.score for hit in found.hits] == [hit.score for hit in exact.hits]
        return found


class SealingStore(LocalStore):
    def _load(self, folder: Path) -> LocalCollection:
        return SealingCollection(folder, 10.0, self._index)


def sealing_store(kind: IndexKind, folder: Path, _: pytest.FixtureRequest) -> LocalStore:
    """Every vector name is sealed, and filters never bypass the segments."""
    names = ("c", "g", "default", "new")
    options = IndexOptions(kind, vectors=names, gather_rows=0, threads=1)
    return SealingStore(folder, file_bytes=16_384, index=options)
