"""Every store that must keep the contract, by name."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer import LocalStore, Store
from indexer.qdrant.store import QdrantStore

# Raw files of a few hundred vectors, so that the tests go through several.
STORES: dict[str, Callable[[Path], Store]] = {
    "local": lambda folder: LocalStore(folder, file_bytes=16_384),
    "qdrant": lambda folder: QdrantStore(":memory:", folder),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()
