"""A small local store, and points for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import LocalCollection, LocalStore
from tests.indexer.local.points import SCHEMA


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path, file_bytes=16_384, lock_timeout=10)
    yield opened
    opened.close()


@pytest.fixture
def collection(store: LocalStore) -> LocalCollection:
    return store.create("photos", SCHEMA)
