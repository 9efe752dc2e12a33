"""Files that are not as they were committed: found, named, and never answered from."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from indexer import (
    CollectionDamaged,
    Filter,
    LocalCollection,
    LocalStore,
    NewerFormat,
    UnknownCollection,
)
from indexer.ledger import LedgerRow
from indexer.local.database import FILE
from indexer.local.rawfile import HEADER_BYTES
from indexer.local.schema import MIGRATIONS
from tests.indexer.local.points import DIM, SCHEMA, assert_holds, point, points, vector


@pytest.fixture
def folder(store: LocalStore, collection: LocalCollection, tmp_path: Path) -> Path:
    """A closed collection of 500 points in several raw files."""
    collection.upsert(points(range(300)))
    collection.upsert(points(range(300, 500)))
    store.close()
    return tmp_path / "collections" / "photos"


def raw_files(folder: Path) -> list[Path]:
    return sorted((folder / "vectors").iterdir())


def test_what_lies_beyond_the_committed_length_is_ignored(store: LocalStore, folder: Path) -> None:
    last = raw_files(folder)[-1]
    with last.open("ab") as file:
        file.write(b"\xff" * 999)
    (folder / "vectors" / "default-000009.f32").write_bytes(b"left by a crash")
    collection = store.open("photos")
    assert_holds(collection, points(range(500)))
    collection.verify()
    for start in range(500, 2500, 100):
        collection.upsert(points(range(start, start + 100)))
    assert_holds(collection, points(range(2500)))
    collection.verify()
    assert len(collection.search(vector(0), limit=10_000).hits) == 2500


def test_a_short_file_is_damage(store: LocalStore, folder: Path) -> None:
    path = raw_files(folder)[-1]
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CollectionDamaged, match=path.name):
        store.open("photos")


def test_a_file_that_becomes_short_is_not_written_over(store: LocalStore, folder: Path) -> None:
    collection = store.open("photos")
    path = raw_files(folder)[-1]
    committed = path.stat().st_size
    path.write_bytes(path.read_bytes()[: HEADER_BYTES + 4])
    for _ in range(2):
        with pytest.raises(CollectionDamaged, match="were committed"):
            collection.upsert([point(1000)])
    assert path.stat().st_size < committed


def test_a_missing_file_is_damage(store: LocalStore, folder: Path) -> None:
    path = raw_files(folder)[0]
    path.unlink()
    with pytest.raises(CollectionDamaged, match=path.name):
        store.open("photos")


@pytest.mark.parametrize("place", [0, 8, 12, 20, 40, 200])
def test_a_foreign_header_is_damage(store: LocalStore, folder: Path, place: int) -> None:
    flip(raw_files(folder)[0], place)
    with pytest.raises(CollectionDamaged, match="does not have the header"):
        store.open("photos")


def test_files_that_changed_places_are_damage(store: LocalStore, folder: Path) -> None:
    first, second = raw_files(folder)[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(CollectionDamaged, match="does not have the header"):
        store.open("photos")


def test_verify_finds_a_flipped_bit_and_names_its_rows(store: LocalStore, folder: Path) -> None:
    collection = store.open("photos")
    assert collection.verify() == 500 * DIM * 4
    flip(raw_files(folder)[0], HEADER_BYTES + 5)
    with pytest.raises(CollectionDamaged, match=r"default-000000.f32: rows 0 to 300 do not match"):
        collection.verify()


def test_a_vector_that_is_not_a_number_is_not_scored(store: LocalStore, folder: Path) -> None:
    path = raw_files(folder)[0]
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES : HEADER_BYTES + 4] = np.float32("nan").tobytes()
    path.write_bytes(data)
    with pytest.raises(CollectionDamaged, match="NaN"):
        store.open("photos").search(vector(1), limit=1)


def test_a_damaged_database_is_named(store: LocalStore, folder: Path) -> None:
    (folder / FILE).write_bytes(b"not a database" * 1000)
    with pytest.raises(CollectionDamaged, match="'photos'"):
        store.open("photos")


@pytest.mark.parametrize("missing", [FILE, "lock"])
def test_a_folder_without_its_files_is_damage(
    store: LocalStore, folder: Path, missing: str
) -> None:
    (folder / missing).unlink()
    with pytest.raises(CollectionDamaged, match=missing):
        store.open("photos")


SENSELESS = {
    "UPDATE collection SET vectors = 'x'": "description",
    "UPDATE collection SET vectors = '[1]'": "description",
    "UPDATE collection SET vectors = '{}'": "description",
    "UPDATE collection SET fingerprint = 'x'": "description",
    "UPDATE collection SET uid = x'00'": "description",
    "DELETE FROM collection": "description",
    """UPDATE collection SET vectors = '{"other": 8}'""": "records",
    "UPDATE raw_range SET points = x'00'": "records",
    "UPDATE raw_range SET points = x'0000000000000000'": "add up",
    "UPDATE raw_file SET name = 'other'": "records",
    "UPDATE raw_file SET slots = 'x'": "records",
    "UPDATE point SET id = x'00' WHERE rowid = 7": "id that is none",
    "UPDATE point SET payload = '{' WHERE rowid = 7": "1 points have a payload",
    "UPDATE point SET payload = '[]' WHERE rowid = 7": "1 points have a payload",
    "INSERT INTO kv VALUES ('a', 'i', 1, 9999)": "1 payload keys",
}


@pytest.mark.parametrize("script", SENSELESS)
def test_records_that_make_no_sense_are_damage(
    store: LocalStore, folder: Path, script: str
) -> None:
    connection = sqlite3.connect(folder / FILE)
    with connection:
        connection.execute(script)
    connection.close()
    with pytest.raises(CollectionDamaged, match=SENSELESS[script]):
        store.open("photos").verify()


def test_a_payload_that_is_no_json_fails_the_reads_that_need_it(
    store: LocalStore, folder: Path
) -> None:
    connection = sqlite3.connect(folder / FILE)
    with connection:
        connection.execute("UPDATE point SET payload = '{' WHERE rowid = 7")
    connection.close()
    collection = store.open("photos")
    with pytest.raises(CollectionDamaged, match="not JSON"):
        collection.get([point(6).id])
    with pytest.raises(CollectionDamaged, match="not JSON"):
        collection.set_payload([point(6).id], {"a": 1})
    assert collection.get([point(5).id])[0].payload == {}


def test_an_emptied_database_is_damage(store: LocalStore, folder: Path) -> None:
    (folder / FILE).write_bytes(b"")
    with pytest.raises(CollectionDamaged, match="empty"):
        store.open("photos")


def test_a_newer_format_is_refused_and_left_alone(store: LocalStore, folder: Path) -> None:
    newer = len(MIGRATIONS) + 1
    connection = sqlite3.connect(folder / FILE)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = (folder / FILE).read_bytes()
    with pytest.raises(NewerFormat, match=rf"'photos' has storage format {newer}.*Upgrade"):
        store.open("photos")
    assert (folder / FILE).read_bytes() == before


def test_an_older_format_is_brought_up(store: LocalStore, folder: Path) -> None:
    """Format 1 did not index places and words, had a shorter ledger, and sealed nothing."""
    berlin = point(1000, place={"lat": 52.5, "lon": 13.4}, text="A street in Berlin")
    store.open("photos").upsert([berlin])
    store.close()
    connection = sqlite3.connect(folder / FILE)
    with connection:
        connection.execute("DELETE FROM kv WHERE type = 'g'")
        for column in ("source", "metadata", "seconds"):
            connection.execute(f"ALTER TABLE ledger DROP COLUMN {column}")
        connection.execute("DROP TABLE segment")
        connection.execute("DROP TABLE words")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    area = {"geo_radius": {"center": {"lat": 52.5, "lon": 13.3}, "radius": 10_000}}
    collection = store.open("photos")
    found = collection.scroll(Filter.parse({"must": [{"key": "place", **area}]}))
    assert [record.id for record in found.records] == [berlin.id]
    assert [hit.id for hit in collection.find_text("berlin street")] == [berlin.id]
    row = LedgerRow("a", "done", updated=1.0, source="file:///photos", seconds=0.5)
    collection.ledger.record([row])
    assert collection.ledger.get(["a"]) == {"a": row}
    collection.seal()
    assert collection.index_info()[0].segments[0].rows == 501


def test_a_collection_dropped_elsewhere_is_gone(store: LocalStore, tmp_path: Path) -> None:
    collection = store.create("photos", SCHEMA)
    collection.upsert([point(1)])
    other = LocalStore(tmp_path)
    other.drop("photos")
    other.create("photos", SCHEMA).upsert([point(2)])
    for use in (lambda: collection.upsert([point(3)]), collection.count):
        with pytest.raises(UnknownCollection, match="dropped"):
            use()
    assert_holds(store.open("photos"), [point(2)])
    other.close()


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
