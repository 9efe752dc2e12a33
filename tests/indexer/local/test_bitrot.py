"""A database with flipped bits, foreign or empty pages, or cut short: typed errors, nothing raw."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer import Collection, Filter, IndexerError, LedgerRow, LocalCollection, LocalStore
from indexer.local.database import FILE
from tests.indexer.local.points import SCHEMA, point, points, vector

PAGE = 4096
TREE = Filter.parse({
    "must": [
        {"key": "tags", "match": {"value": "a"}},
        {"key": "place", "geo_radius": {"center": {"lat": 1, "lon": 2}, "radius": 5}},
    ],
    "must_not": [{"is_empty": {"key": "when"}}],
})  # fmt: skip
USES: list[Callable[[Collection], object]] = [
    lambda collection: collection.scroll(limit=1000, with_vectors=["default"]),
    lambda collection: collection.search(vector(1), limit=50),
    lambda collection: collection.search(vector(1), filter=TREE),
    lambda collection: collection.count(TREE),
    lambda collection: collection.get([point(3).id]),
    lambda collection: collection.upsert([point(3)]),
    lambda collection: collection.set_payload([point(4).id], {"x": 1}),
    lambda collection: collection.delete(TREE),
    lambda collection: list(collection.ledger.rows()),
    lambda collection: collection.ledger.by_hash(["1"]),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection whose log is empty, so that all is in the database."""
    folder = tmp_path_factory.mktemp("sound")
    store = LocalStore(folder, file_bytes=16_384)
    collection = store.create("photos", SCHEMA)
    collection.upsert(
        points(range(300), tags=["a", "b"], place={"lat": 1, "lon": 2}, when="2024-01-01")
    )
    collection.ledger.record([LedgerRow(f"a{n}", "done", content_hash=f"{n}") for n in range(50)])
    store.close()
    connection = sqlite3.connect(folder / "collections" / "photos" / FILE)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return folder


def rotten(data: bytearray, dice: random.Random) -> bytes:
    page = PAGE * dice.randrange(len(data) // PAGE)
    match dice.choice(["bits", "bits", "foreign", "empty", "cut"]):
        case "bits":
            for _ in range(dice.choice([1, 20, 200])):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case "foreign":
            data[page : page + PAGE] = dice.randbytes(PAGE)
        case "empty":
            data[page : page + PAGE] = bytes(PAGE)
        case "cut":
            del data[dice.randrange(len(data)) :]
    return bytes(data)


def use_all(store: LocalStore) -> int:
    """How many uses fail; each by an error of ours."""
    try:
        collection = store.open("photos")
    except IndexerError:
        return len(USES)
    uses = [*USES, LocalCollection.verify]
    return sum(failed(use, collection) for use in uses)


def failed(use: Callable[[LocalCollection], object], collection: LocalCollection) -> bool:
    try:
        use(collection)
    except IndexerError:
        return True
    return False


def test_damage_is_never_a_raw_error(sound: Path, tmp_path: Path) -> None:
    check(sound, tmp_path, range(100))


@pytest.mark.long
def test_much_damage_is_never_a_raw_error(sound: Path, tmp_path: Path) -> None:
    check(sound, tmp_path, range(1000, 2000))


def check(sound: Path, folder: Path, seeds: range) -> None:
    failures = 0
    for seed in seeds:
        shutil.copytree(sound, folder / "rotten")
        path = folder / "rotten" / "collections" / "photos" / FILE
        path.write_bytes(rotten(bytearray(path.read_bytes()), random.Random(seed)))
        store = LocalStore(folder / "rotten")
        try:
            failures += use_all(store)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        store.close()
        shutil.rmtree(folder / "rotten")
    assert failures > len(seeds)
