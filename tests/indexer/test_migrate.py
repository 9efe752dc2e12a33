"""Copies from any store into any other: all there, bit for bit, and safe to interrupt."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer import (
    BackendUnavailable,
    Collection,
    CopyDiffers,
    LedgerRow,
    LocalStore,
    Point,
    Schema,
    SchemaMismatch,
    Store,
    point_id,
)
from indexer.migrate import migrate
from indexer.qdrant.options import Patience
from indexer.qdrant.store import QdrantStore
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator
from tests.indexer.qdrant.loopback import Fault, Loopback


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path / "local", file_bytes=16_384)
    yield opened
    opened.close()


def filled(store: Store, seed: int = 5) -> tuple[Collection, Model]:
    collection, generator, model = store.create("photos", SCHEMA), Generator(seed, 40), Model()
    for kind in (generator.upsert, generator.replace) * 4:
        operation = kind(model)
        operation(collection)
        operation(model)
    assert len(model.points) > 50
    assert len(model.ledger) > 3
    return collection, model


def test_there_and_back_again(store: Store, local: LocalStore) -> None:
    """From a local collection into every store, and back into another local one."""
    source, model = filled(local)
    there = migrate(source, store, "moved")
    assert (there.points, there.written, there.assets) == (
        len(model.points),
        len(model.points),
        len(model.ledger),
    )
    copy = store.open("moved")
    assert copy.schema == source.schema
    assert_same(copy, model)
    back = migrate(copy, local, "back")
    assert back == there
    assert_same(local.open("back"), model)
    again = migrate(copy, local, "back")
    assert (again.written, again.checksum) == (0, there.checksum)
    assert_same(source, model)


def test_what_changed_since_is_copied_again(store: Store, local: LocalStore) -> None:
    source, model = filled(local)
    migrate(source, store, "moved")
    some = sorted(model.points)[:3]
    for target in (source, model):
        target.set_payload(some, {"new": [1, 1.5, True, None]})
    assert migrate(source, store, "moved").written == 3
    assert_same(store.open("moved"), model)


def test_an_empty_collection(store: Store, local: LocalStore) -> None:
    found = migrate(local.create("photos", SCHEMA), store, "moved")
    assert (found.points, found.written, found.assets) == (0, 0, 0)
    assert store.open("moved").count() == 0


def test_other_points_in_the_copy_are_told_and_kept(store: Store, local: LocalStore) -> None:
    source, model = filled(local)
    other = Point(point_id("other", "image"), "other", {"c": np.ones(12, np.float32)})
    store.create("moved", SCHEMA).upsert([other])
    with pytest.raises(CopyDiffers, match=f"{len(model.points) + 1} points.* {len(model.points)}"):
        migrate(source, store, "moved")
    assert store.open("moved").get([other.id])
    assert list(store.open("moved").ledger.rows()) == []


def test_rows_recorded_meanwhile_wait_for_the_next_time(store: Store, local: LocalStore) -> None:
    source, model = filled(local)
    later = LedgerRow("file:///late.jpg", "done", updated=4e9)
    source.ledger.record([later])
    assert migrate(source, store, "moved").assets == len(model.ledger)
    assert store.open("moved").ledger.get([later.asset]) == {}


MISMATCHES: dict[str, tuple[Schema, str]] = {
    "dimension": (Schema({"c": 12, "g": 6}, "fake", SCHEMA.fingerprint), "g 6.*g 5"),
    "name": (Schema({"c": 12}, "fake", SCHEMA.fingerprint), "g 5"),
    "fingerprint": (Schema(SCHEMA.vectors, "fake", {"text": "other"}), "text"),
}


@pytest.mark.parametrize("case", MISMATCHES)
def test_a_collection_of_another_kind_is_refused(
    store: Store, local: LocalStore, case: str
) -> None:
    schema, words = MISMATCHES[case]
    source, _ = filled(local)
    store.create("moved", schema)
    with pytest.raises(SchemaMismatch, match=words):
        migrate(source, store, "moved")
    assert store.open("moved").count() == 0


@pytest.mark.parametrize("after", [3, 6, 9, 12, 20])
def test_an_interrupted_copy_goes_on(
    qdrant: Loopback, local: LocalStore, tmp_path: Path, after: int
) -> None:
    source, model = filled(local)
    patience = Patience(attempts=1)
    store = QdrantStore(qdrant.url, tmp_path, patience=patience)
    clean: list[Fault] = ["none"]
    qdrant.faults.extend([*clean * after, "reset"])
    with pytest.raises(BackendUnavailable):
        many(source, store)
    qdrant.faults.clear()
    migrate(source, store, "moved")
    assert_same(store.open("moved"), model)
    store.close()


def many(source: Collection, store: Store) -> None:
    """Copies that take more requests than any test lets through."""
    for number in range(20):
        migrate(source, store, "moved")
        assert number < 19


CHANGES: list[Callable[[Collection], object]] = [
    lambda c: c.set_payload([c.scroll(limit=1).records[0].id], {"x": 1}),
    lambda c: c.delete([c.scroll(limit=1).records[0].id]),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_meanwhile_is_told(
    local: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Collection], object],
) -> None:
    source, _ = filled(local)
    target = local.create("moved", SCHEMA)
    upsert = type(target).upsert
    monkeypatch.setattr(
        type(target), "upsert", lambda self, points: (upsert(self, points), change(self))
    )
    with pytest.raises(CopyDiffers):
        migrate(source, local, "moved")
    assert list(target.ledger.rows()) == []
