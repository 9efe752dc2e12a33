"""Compaction: the room of the dead comes back, and nobody notices anything else."""

import sqlite3
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from indexer import CollectionBusy, CollectionDamaged, LocalCollection, LocalStore, StorageError
from indexer.local import engine
from indexer.local.compact import keep_files
from indexer.local.rawfile import HEADER_BYTES
from indexer.local.schema import read_layout
from tests.indexer.local.points import DIM, assert_holds, point, points, vector
from tests.indexer.local.points import SCHEMA as PLAIN
from tests.indexer.local.test_damage import flip, raw_files
from tests.indexer.local.test_disk import small_disk
from tests.indexer.local.test_processes import WRITER, check_readers, rewritten, start
from tests.indexer.model import Model, assert_same
from tests.indexer.operations import SCHEMA, Generator

__all__ = ["small_disk"]


@pytest.fixture
def folder(collection: LocalCollection, tmp_path: Path) -> Path:
    """That of a collection of 2,000 points in several raw files, of which every third is alive."""
    collection.upsert(points(range(2000)))
    collection.delete([point(number).id for number in range(2000) if number % 3])
    return tmp_path / "collections" / "photos"


ALIVE = range(0, 2000, 3)


def dead_slots(collection: LocalCollection) -> int:
    with collection._engine().snapshot() as snapshot:
        view = snapshot.view
        return sum(
            int((~v.rows.alive & ~v.rows.mask(view.unpublished)).sum())
            for v in view.vectors.values()
        )


def test_only_what_lives_is_kept(collection: LocalCollection, folder: Path, tmp_path: Path) -> None:
    other, third = LocalStore(tmp_path), LocalStore(tmp_path)
    assert other.open("photos").count() == len(ALIVE)
    found = collection.compact()
    assert found.points == 2000 - len(ALIVE)
    assert found.after < found.before
    assert dead_slots(collection) == 0
    files = raw_files(folder)
    assert sum(path.stat().st_size - HEADER_BYTES for path in files) == 4 * DIM * len(ALIVE)
    for one in (collection, other.open("photos"), third.open("photos")):
        assert_holds(one, points(ALIVE))
        assert len(one.search(vector(0), limit=10_000).hits) == len(ALIVE)
        assert one.verify() == 4 * DIM * len(ALIVE)
    assert collection.compact().points == 0
    assert raw_files(folder) == files
    other.close()
    third.close()


def test_numbers_of_files_and_rows_are_not_used_again(
    collection: LocalCollection, folder: Path
) -> None:
    last = int(raw_files(folder)[-1].stem[-6:])
    collection.delete([point(number).id for number in ALIVE])
    collection.compact()
    assert raw_files(folder) == []
    assert_holds(collection, [])
    collection.upsert([point(1)])
    assert int(raw_files(folder)[0].stem[-6:]) == last + 1
    with collection._engine().snapshot() as snapshot:
        assert snapshot.connection.execute("SELECT rowid FROM point").fetchall() == [(2001,)]
    assert_holds(collection, [point(1)])
    collection.verify()


@pytest.mark.parametrize("seed", range(3))
def test_between_random_operations_it_changes_nothing(tmp_path: Path, seed: int) -> None:
    store = LocalStore(tmp_path, file_bytes=6000)
    collection, observer = store.create("photos", SCHEMA), LocalStore(tmp_path)
    generator, model = Generator(seed), Model()
    for _ in range(25):
        _, operation = generator.operation(model)
        operation(collection)
        operation(model)
        collection.compact()
        assert dead_slots(collection) == 0
        assert_same(collection, model)
        tree = generator.filter()
        assert observer.open("photos").count(tree) == len(model.select(tree))
    assert_same(observer.open("photos"), model)
    collection.verify()
    store.close()
    observer.close()


def test_readers_see_neither_gaps_nor_doubles(collection: LocalCollection, tmp_path: Path) -> None:
    def now_and_then(number: int) -> None:
        if number % 10 == 0:
            assert collection.compact().points == 50

    with rewritten(collection, now_and_then):
        check_readers(collection, tmp_path)


def test_writers_of_other_processes_lose_nothing(
    collection: LocalCollection, tmp_path: Path
) -> None:
    writers = [start(WRITER, tmp_path, first, first + 100) for first in (0, 100)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        collection.compact()
    assert [writer.communicate()[1] for writer in writers] == ["", ""]
    collection.compact()
    records = collection.scroll(limit=1000, with_vectors=["default"]).records
    own = {record.id: record for record in records if record.asset != "shared"}
    assert len(records) == len(own) + 10
    assert own.keys() == {point(number).id for number in range(200)}
    for number in range(200):
        np.testing.assert_array_equal(own[point(number).id].vectors["default"], vector(number))
    collection.verify()


def test_damage_is_not_moved_about(collection: LocalCollection, folder: Path) -> None:
    flip(raw_files(folder)[1], HEADER_BYTES + 5)
    with pytest.raises(CollectionDamaged, match=r"default-000001.f32: rows 0 to \d+ do not match"):
        collection.compact()
    assert collection.count() == len(ALIVE)
    with pytest.raises(CollectionDamaged, match=r"default-000001.f32"):
        collection.verify()


def test_a_file_that_is_missing_stays_damage(
    collection: LocalCollection, folder: Path, tmp_path: Path
) -> None:
    raw_files(folder)[0].unlink()
    with pytest.raises(CollectionDamaged, match="missing"):
        collection.compact()
    with pytest.raises(CollectionDamaged, match="missing"):
        LocalStore(tmp_path).open("photos")


def test_it_waits_for_those_who_read_the_files(folder: Path, tmp_path: Path) -> None:
    collection = LocalStore(tmp_path, lock_timeout=0.1).open("photos")
    with keep_files(folder, 0), pytest.raises(CollectionBusy, match="compacted, checked or copied"):
        collection.compact()
    with keep_files(folder, 0, alone=True), pytest.raises(CollectionBusy):
        collection.verify()
    collection.compact()
    collection.close()


def fill_up(path: Path) -> None:
    """Write until there is no room on the disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_what_a_crash_left_goes_with_the_next_write(
    store: LocalStore, folder: Path, tmp_path: Path
) -> None:
    store.close()
    left = folder / "vectors" / "default-000077.f32"
    left.write_bytes(b"x")
    other = LocalStore(tmp_path).open("photos")
    with keep_files(folder, 0):
        other.upsert([point(0)])
        assert left.exists()
    other.close()
    other = LocalStore(tmp_path).open("photos")
    other.upsert([point(0)])
    assert not left.exists()
    assert_holds(other, points(ALIVE))
    other.close()


def test_without_room_nothing_is_lost(small_disk: Path) -> None:
    store = LocalStore(small_disk, file_bytes=200_000)
    collection = store.create("photos", PLAIN)
    collection.upsert(points(range(3_000)))
    collection.delete([point(number).id for number in range(10)])
    ballast = small_disk / "ballast"
    fill_up(ballast)
    with pytest.raises(StorageError, match=r"space|full"):
        collection.compact()
    assert_count(collection)
    store.close()
    again = LocalStore(small_disk)
    assert_count(again.open("photos"))
    ballast.unlink()
    again.open("photos").compact()
    assert_count(again.open("photos"))
    again.close()


def assert_count(collection: LocalCollection) -> None:
    assert collection.count() == 2_990
    assert len(collection.search(vector(3), limit=10_000).hits) == 2_990
    collection.verify()


def test_a_reader_whose_files_just_went_reads_again(
    collection: LocalCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(points(range(2000)))
    collection.delete([point(number).id for number in range(2000) if number % 3])
    begun: list[int] = []

    def overtaken(connection: sqlite3.Connection) -> int:
        layout = read_layout(connection)
        if not begun:
            begun.append(layout)
            collection.upsert([point(3000)])
            collection.compact()
        return layout

    monkeypatch.setattr(engine, "read_layout", overtaken)
    other = LocalStore(tmp_path)
    assert_holds(other.open("photos"), points([*ALIVE, 3000]))
    assert begun
    other.close()
