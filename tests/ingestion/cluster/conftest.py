"""One Ray of two CPUs for all these tests, and a Qdrant server to fill."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from encoders import LoadOptions
from encoders.fake import FakeEncoder
from indexer import Collection
from indexer.qdrant.options import Patience
from indexer.qdrant.store import QdrantStore
from ingestion.cluster import open_fleet
from ingestion.cluster.fleet import STORE_BYTES, Fleet
from tests.indexer.qdrant.loopback import Loopback, loopback
from tests.ingestion.conftest import schema_of

CLUSTER = (
    "import logging, ray; c = ray.init('local', num_cpus=8, include_dashboard=False, "
    f"log_to_driver=False, logging_level=logging.ERROR, object_store_memory={STORE_BYTES}); "
    "print(c.address_info['address'], flush=True); input()"
)


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of a cluster that several processes can join; eight CPUs, for two drivers at a time."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},  # else whoever joins needs its token
    )
    assert process.stdout
    yield process.stdout.readline().strip()
    process.communicate("\n", timeout=60)


@pytest.fixture(scope="session")
def two(address: str) -> Iterator[Fleet]:
    """Two encoders."""
    with open_fleet("fake", LoadOptions(device="cpu,cpu"), address) as entered:
        yield entered
    assert not ray.is_initialized()


@pytest.fixture(scope="session")
def server() -> Iterator[Loopback]:
    with loopback() as served:
        yield served


def store_at(server: Loopback, data: Path) -> QdrantStore:
    """Hardly patient: what goes on waiting is the job."""
    patience = Patience(attempts=2, pause=0.001, longest_pause=0.01)
    return QdrantStore(server.url, data, patience=patience)


@pytest.fixture
def remote(server: Loopback, tmp_path: Path) -> Iterator[Collection]:
    server.reset()
    store = store_at(server, tmp_path / "remote")
    yield store.create("photos", schema_of(FakeEncoder()))
    store.close()
