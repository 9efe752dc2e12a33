"""A server that fails now and then, or for good: nothing is lost, and everything can be redone."""

import random
from pathlib import Path
from typing import Any

import pytest

from indexer import (
    AssetWrite,
    BackendUnavailable,
    Filter,
    LedgerRow,
    Point,
    StorageError,
    UnknownCollection,
    point_id,
)
from indexer.qdrant.options import Patience
from indexer.qdrant.store import QdrantStore
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator
from tests.indexer.qdrant.loopback import Fault, Loopback

PATIENCE = Patience(timeout=30, attempts=4, pause=0.001, longest_pause=0.01)
TRANSIENT: list[Fault] = ["429", "500", "reset", "lost answer"]


def opened(qdrant: Loopback, folder: Path, patience: Patience = PATIENCE) -> QdrantStore:
    return QdrantStore(qdrant.url, folder, patience=patience)


def some_points(asset: str, count: int, seed: int = 0) -> list[Point]:
    generator = Generator(seed)
    return [
        Point(
            point_id(asset, "segment", number),
            asset,
            {name: generator.vector(dim) for name, dim in SCHEMA.vectors.items()},
            {"number": number, "seed": seed},
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_operations_keep_to_the_model_while_the_server_stumbles(
    qdrant: Loopback, tmp_path: Path, seed: int
) -> None:
    collection = opened(qdrant, tmp_path).create("photos", SCHEMA)
    generator, model, dice = Generator(seed, bound=2**52), Model(), random.Random(seed)
    for _ in range(25):
        # At most two in a row, so that four attempts are enough.
        for _ in range(12):
            qdrant.faults.extend(dice.choice([["none"], ["none", *dice.choices(TRANSIENT, k=2)]]))
        kind, operation = generator.operation(model)
        assert operation(collection) == operation(model), kind
        qdrant.faults.clear()
    assert_same(collection, model)


def test_an_upsert_of_which_half_arrived_is_repeated(qdrant: Loopback, tmp_path: Path) -> None:
    collection, model = opened(qdrant, tmp_path).create("photos", SCHEMA), Model()
    points = some_points("a", 9)
    qdrant.faults.append("half")
    collection.upsert(points)
    model.upsert(points)
    assert_same(collection, model)


def test_a_server_that_is_too_slow_is_asked_again(qdrant: Loopback, tmp_path: Path) -> None:
    patience = Patience(timeout=1, attempts=2, pause=0.001)
    collection, model = opened(qdrant, tmp_path, patience).create("photos", SCHEMA), Model()
    points = some_points("a", 3)
    qdrant.faults.append("slow")
    collection.upsert(points)
    model.upsert(points)
    assert_same(collection, model)


def test_a_server_that_stays_away_is_an_error_that_says_so(
    qdrant: Loopback, tmp_path: Path
) -> None:
    collection = opened(qdrant, tmp_path).create("photos", SCHEMA)
    qdrant.seen.clear()
    qdrant.always = "reset"
    with pytest.raises(BackendUnavailable, match=f"{qdrant.url}, tried 4 times: .*Check that"):
        collection.upsert(some_points("a", 3))
    assert qdrant.seen == ["PUT /collections/photos/points"] * 4
    nowhere = QdrantStore("http://127.0.0.1:1", tmp_path, patience=PATIENCE)
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1:1"):
        nowhere.names()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [("401", BackendUnavailable, "API key"), ("400", StorageError, "injected")],
)
def test_what_no_repetition_mends_is_not_repeated(
    qdrant: Loopback, tmp_path: Path, fault: Fault, error: type[Exception], words: str
) -> None:
    collection = opened(qdrant, tmp_path).create("photos", SCHEMA)
    qdrant.seen.clear()
    qdrant.always = fault
    with pytest.raises(error, match=words):
        collection.count()
    assert len(qdrant.seen) == 1


@pytest.mark.parametrize("fault", ["reset", "lost answer", "half"])
@pytest.mark.parametrize("good", range(3))
def test_a_replacement_that_was_interrupted_can_be_done_again(
    qdrant: Loopback, tmp_path: Path, fault: Fault, good: int
) -> None:
    """Two requests store 600 points, a third removes the older ones, then the ledger is written."""
    collection = opened(qdrant, tmp_path).create("photos", SCHEMA)
    before = LedgerRow("a", "done", points=5, updated=1.0)
    collection.replace([AssetWrite("a", some_points("a", 605)[600:], before)])
    collection.upsert(some_points("b", 2))
    after = LedgerRow("a", "done", points=600, updated=2.0)
    write = AssetWrite("a", some_points("a", 600, seed=1), after)
    qdrant.faults.extend(["none"] * good)
    qdrant.always = "reset" if fault == "half" and good == 2 else fault
    with pytest.raises(BackendUnavailable):
        collection.replace([write])
    assert collection.ledger.get(["a"]) == {"a": before}
    qdrant.always = "none"
    for _ in range(2):
        collection.replace([write])
        model = Model()
        model.upsert([*write.points, *some_points("b", 2)])
        model.ledger["a"] = after
        assert_same(collection, model)


def test_an_interrupted_edit_can_be_done_again(qdrant: Loopback, tmp_path: Path) -> None:
    collection, model = opened(qdrant, tmp_path).create("photos", SCHEMA), Model()
    points = some_points("a", 1500)
    collection.upsert(points)
    model.upsert(points)
    everything, new = Filter(), {"number": "none", "more": [1]}
    # Two pages are read, then a thousand points are written, and then no more.
    qdrant.faults.extend(["none"] * 3)
    qdrant.always = "500"
    with pytest.raises(BackendUnavailable, match="set payloads"):
        collection.set_payload(everything, new)
    qdrant.always = "none"
    changed = Filter.parse({"must": [{"key": "more", "match": {"value": 1}}]})
    assert collection.count(changed) == 1000
    assert collection.set_payload(everything, new) == model.set_payload(everything, new) == 1500
    assert_same(collection, model)


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_collection_is_made_once_though_the_server_stumbles(
    qdrant: Loopback, tmp_path: Path, fault: Fault
) -> None:
    store = opened(qdrant, tmp_path)
    qdrant.faults.extend(["none", fault])
    assert store.create("photos", SCHEMA).schema == SCHEMA
    assert store.names() == ["photos"]


def test_a_collection_that_was_dropped_elsewhere_is_unknown(
    qdrant: Loopback, tmp_path: Path
) -> None:
    collection = opened(qdrant, tmp_path).create("photos", SCHEMA)
    opened(qdrant, tmp_path).drop("photos")
    calls: list[Any] = [collection.count, lambda: collection.upsert(some_points("a", 1))]
    for call in calls:
        with pytest.raises(UnknownCollection, match="photos"):
            call()
