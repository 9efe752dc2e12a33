"""Every store that must keep the contract, by name."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from indexer import LocalStore, Store
from indexer.local.options import IndexKind
from indexer.qdrant.options import QdrantOptions
from indexer.qdrant.store import QdrantStore
from tests.indexer.qdrant.loopback import Loopback, loopback
from tests.indexer.sealing import sealing_store

ENVIRONMENT = "POLYLENS_TEST_QDRANT_"
"""Of the settings of a real server, URL, API_KEY, GRPC and CLUSTER; see docs/qdrant.md."""

# Raw files of a few hundred vectors, so that the tests go through several.
STORES: dict[str, Callable[[Path, pytest.FixtureRequest], Store]] = {
    "local": lambda folder, _: LocalStore(folder, file_bytes=16_384),
    **{f"local-{kind}": partial(sealing_store, kind) for kind in get_args(IndexKind)},
    "qdrant-memory": lambda folder, _: QdrantStore(":memory:", folder),
    "qdrant-http": lambda folder, request: QdrantStore(
        request.getfixturevalue("qdrant").url, folder
    ),
    "qdrant-edge": lambda folder, request: emptied(
        QdrantStore(request.getfixturevalue("edge"), folder)
    ),
}
if f"{ENVIRONMENT}URL" in os.environ:
    STORES["qdrant-server"] = lambda folder, _: real_server(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of random tests over stores that are slow, a few run in `make test`."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            chosen = item.callspec.params
            slow = str(chosen.get("store")).startswith(("local-", "qdrant-edge"))
            if slow and chosen.get("seed", 0) not in (0, 1):
                item.add_marker(pytest.mark.long)


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


@pytest.fixture(scope="session")
def edge() -> Iterator[str]:
    """The URL of Qdrant's own engine, in a process of its own."""
    pytest.importorskip("qdrant_edge", reason="NOT TESTED: needs qdrant-edge-py")
    from tests.indexer.qdrant.edge import edge_server

    with edge_server() as url:
        yield url


def real_server(folder: Path) -> QdrantStore:
    """That of the environment."""
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
    return emptied(store)


def emptied(store: QdrantStore) -> QdrantStore:
    """Without the collections of polylens that the server held."""
    for name in store.names():
        store.drop(name)
    return store
