"""A collection to ingest into, and the fake encoder to do it with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore, Schema


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def collection(tmp_path: Path, encoder: FakeEncoder) -> Iterator[LocalCollection]:
    store = LocalStore(tmp_path / "data")
    made = store.create("photos", schema_of(encoder))
    yield made
    made.close()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """An empty folder to fill and to ingest."""
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def schema_of(encoder: FakeEncoder) -> Schema:
    return Schema(encoder.info.vectors, encoder.info.name, encoder.info.fingerprint)
