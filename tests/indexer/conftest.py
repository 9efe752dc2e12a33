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
}
if f"{ENVIRONMENT}URL" in os.environ:
    STORES["qdrant-server"] = lambda folder, _: real_server(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of random tests over sealed stores, which build much, a few run in `make test`."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            chosen = item.callspec.params
            sealed = str(chosen.get("store")).startswith("local-")
            if sealed and chosen.get("seed", 0) not in (0, 1):
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
