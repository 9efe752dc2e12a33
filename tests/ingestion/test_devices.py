"""Ingestion over several devices, some of which die."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders import LoadOptions
from encoders.workers import WorkerEncoder
from indexer import LocalCollection
from ingestion import EncodingStopped, IngestOptions, ingest, walk
from tests import media as make

COUNT = 200
OPTIONS = IngestOptions(batch_size=8)


@pytest.fixture
def encoder() -> Iterator[WorkerEncoder]:
    """Two processes that are not replaced."""
    encoder = WorkerEncoder("fake", LoadOptions(device="cpu,cpu"), restarts=0)
    yield encoder
    encoder.close()


def kill(encoder: WorkerEncoder, count: int) -> None:
    for worker in encoder._pool.workers[:count]:
        os.kill(worker.process.pid or 0, signal.SIGKILL)


def test_a_device_that_dies_loses_nothing(
    media: Path, encoder: WorkerEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, COUNT)
    killed = False
    for progress in ingest(walk(media), encoder, collection, OPTIONS):
        if progress.event and not killed:
            kill(encoder, 1)
            killed = True
    assert (progress.done, progress.failed) == (COUNT, 0)
    assert collection.count() == COUNT


def test_without_any_device_the_job_ends_and_blames_no_file(
    media: Path, encoder: WorkerEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, COUNT)
    kill(encoder, 2)
    with pytest.raises(EncodingStopped, match="no other is left"):
        list(ingest(walk(media), encoder, collection, OPTIONS))
    assert collection.count() == 0
    assert sum(collection.ledger.counts().values()) == 0
