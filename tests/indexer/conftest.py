"""Every store that must keep the contract, by name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer import LocalStore, Store
from indexer.qdrant.store import QdrantStore
from tests.indexer.qdrant.loopback import Loopback, loopback

SERVER = os.environ.get("POLYLENS_TEST_QDRANT_URL")
"""A real Qdrant; the tests remove every collection of polylens that it holds."""

# Raw files of a few hundred vectors, so that the tests go through several.
STORES: dict[str, Callable[[Path, pytest.FixtureRequest], Store]] = {
    "local": lambda folder, _: LocalStore(folder, file_bytes=16_384),
    "qdrant-memory": lambda folder, _: QdrantStore(":memory:", folder),
    "qdrant-http": lambda folder, request: QdrantStore(
        request.getfixturevalue("qdrant").url, folder
    ),
}
if SERVER:
    STORES["qdrant-server"] = lambda folder, _: emptied(QdrantStore(str(SERVER), folder))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = STORES[request.param](tmp_path, request)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def qdrant_server() -> Iterator[Loopback]:
    with loopback() as served:
        yield served


@pytest.fixture
def qdrant(qdrant_server: Loopback) -> Loopback:
    """A server over HTTP that holds nothing and behaves well."""
    qdrant_server.reset()
    return qdrant_server


def emptied(store: QdrantStore) -> QdrantStore:
    for name in store.names():
        store.drop(name)
    return store
