import pytest

from indexer import CollectionBusy
from ingestion.writing import BUSY_TRIES, patiently


def busy_for(times: int) -> list[int]:
    """Write to a collection whose lock is held `times` times; returns how often it was tried."""
    tries: list[int] = []

    def write() -> None:
        tries.append(len(tries))
        if len(tries) <= times:
            raise CollectionBusy("held by another process")

    patiently(write)
    return tries


def test_a_busy_collection_is_tried_again() -> None:
    assert len(busy_for(0)) == 1
    assert len(busy_for(BUSY_TRIES - 1)) == BUSY_TRIES


def test_patience_ends() -> None:
    with pytest.raises(CollectionBusy):
        busy_for(BUSY_TRIES)
