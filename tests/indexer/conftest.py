"""Every store that must keep the contract, by name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indexer import LocalStore, Store
from indexer.qdrant.options import QdrantOptions
from indexer.qdrant.store import QdrantStore
from tests.indexer.qdrant.loopback import Loopback, loopback

ENVIRONMENT = "POLYLENS_TEST_QDRANT_"
"""Of the settings of a real server, URL, API_KEY, GRPC and CLUSTER; see docs/qdrant.md."""

# Raw files of a few hundred vectors, so that the tests go through several.
STORES: dict[str, Callable[[Path, pytest.FixtureRequest], Store]] = {
    "local": lambda folder, _: LocalStore(folder, file_bytes=16_384),
    "qdrant-memory": lambda folder, _: QdrantStore(":memory:", folder),
    "qdrant-http": lambda folder, request: QdrantStore(
        request.getfixturevalue("qdrant").url, folder
    ),
}
if f"{ENVIRONMENT}URL" in os.environ:
    STORES["qdrant-server"] = lambda folder, _: real_server(folder)


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


def real_server(folder: Path) -> QdrantStore:
    """That of the environment, without the collections of polylens that it held."""
    settings = {
        name.removeprefix(ENVIRONMENT): value
        for name, value in os.environ.items()
        if name.startswith(ENVIRONMENT)
    }
    cluster = QdrantOptions(shards=3, replicas=2, on_disk=True, quantization="int8")
    store = QdrantStore(
        settings["URL"],
        folder,
        api_key=settings.get("API_KEY"),
        prefer_grpc="GRPC" in settings,
        options=cluster if "CLUSTER" in settings else None,
    )
    for name in store.names():
        store.drop(name)
    return store
