"""The folder of collections: creation in one step, removal, and use after closing."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer import (
    CollectionExists,
    LocalCollection,
    LocalStore,
    Schema,
    StorageError,
    UnknownCollection,
)
from indexer.local.drafts import draft, hidden
from tests.indexer.local.points import SCHEMA, assert_holds, point, points


def test_opening_twice_gives_one_object_until_it_is_closed(store: LocalStore) -> None:
    first = store.create("photos", SCHEMA)
    assert store.open("photos") is first
    first.upsert([point(1)])
    first.close()
    with pytest.raises(UnknownCollection, match="closed"):
        first.count()
    with pytest.raises(UnknownCollection, match="closed"):
        first.upsert([point(2)])
    first.close()
    assert_holds(store.open("photos"), [point(1)])


def test_of_many_creators_one_wins(tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path) for _ in range(8)]

    def create(store: LocalStore) -> bool:
        try:
            store.create("photos", SCHEMA)
        except CollectionExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, stores)) == 1
    assert os.listdir(tmp_path / "collections") == ["photos"]  # noqa: PTH208 - hidden ones too
    for store in stores:
        store.close()


def test_what_interrupted_work_left_is_removed_and_nothing_else(store: LocalStore) -> None:
    store.create("photos", SCHEMA)
    folder = store._folder
    left, mine = hidden(folder, "a"), folder / ".mine"
    for path in (left, mine):
        shutil.copytree(folder / "photos", path)
    with draft(folder, "b") as busy:
        assert not left.exists()
        store.create("more", SCHEMA)
        assert busy.is_dir()
        assert store.names() == ["more", "photos"]
    assert sorted(path.name for path in folder.iterdir()) == [".mine", "more", "photos"]


def test_dropping_leaves_nothing(store: LocalStore, collection: LocalCollection) -> None:
    collection.upsert(points(range(100)))
    store.drop("photos")
    assert list(store._folder.iterdir()) == []
    with pytest.raises(UnknownCollection, match="closed"):
        collection.count()
    with pytest.raises(UnknownCollection):
        store.open("photos")


def test_files_and_strange_folders_are_no_collections(store: LocalStore) -> None:
    store.create("photos", SCHEMA)
    (store._folder / "empty").mkdir()
    (store._folder / "file").touch()
    (store._folder / "Not A Name").mkdir()
    assert store.names() == ["photos"]
    with pytest.raises(UnknownCollection, match="there are: photos"):
        store.open("file")


def test_a_raw_file_must_hold_a_vector(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        LocalStore(tmp_path, file_bytes=4096 + 11).create("a", Schema({"default": 3}))


def test_a_root_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="'photos'"):
        LocalStore(tmp_path / "file").create("photos", SCHEMA)


def test_raw_files_keep_to_their_size(store: LocalStore, collection: LocalCollection) -> None:
    for start in range(0, 3000, 700):
        collection.upsert(points(range(start, start + 700)))
    sizes = [path.stat().st_size for path in (store._folder / "photos" / "vectors").iterdir()]
    assert len(sizes) > 5
    assert max(sizes) <= 16_384
    assert_holds(collection, points(range(3500)))
    collection.verify()


def test_the_log_is_kept_short(store: LocalStore, collection: LocalCollection) -> None:
    for number in range(600):
        collection.upsert([point(number % 50, text="x" * 2000, step=number)])
    log = store._folder / "photos" / "collection.db-wal"
    assert log.stat().st_size < 20_000_000
