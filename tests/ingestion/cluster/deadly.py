"""A driver whose encoder kills its own process over a white picture.

python -m tests.ingestion.cluster.deadly ADDRESS URL DATA MEDIA
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import ray

from encoders import LoadOptions, Pixels, Vectors
from encoders.fake import FakeEncoder
from encoders.registry import ENCODERS, Named
from indexer.qdrant.store import QdrantStore
from ingestion import walk
from ingestion.cluster import open_fleet
from tests.ingestion.cluster.driver import OPTIONS

ROOT = Path(__file__).resolve().parents[3]


class Deadly(FakeEncoder):
    """As an encoder whose native code crashes on one picture."""

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        if any((image == 255).all() for image in pixels):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1.1)  # so that a part of a group is told before its actor dies
        return super().encode_pixels(pixels, normalize=normalize)


def register() -> None:
    """In every process of the cluster: have it go by a name."""
    ENCODERS["deadly"] = Named("kills its process", lambda _: Deadly())


if __name__ == "__main__":
    address, url, data, media = sys.argv[1:]
    setup = {
        "worker_process_setup_hook": "tests.ingestion.cluster.deadly.register",
        "env_vars": {"PYTHONPATH": str(ROOT)},  # the tests are not installed
    }
    ray.init(address, runtime_env=setup, log_to_driver=False)
    collection = QdrantStore(url, Path(data)).open("photos")
    with open_fleet("deadly", LoadOptions(device="cpu,cpu")) as fleet:
        steps = list(fleet.ingest(walk(Path(media)), collection, OPTIONS))
    report = steps[-1].report
    assert report
    print(json.dumps(asdict(report) | {"events": sum(bool(step.event) for step in steps)}))
