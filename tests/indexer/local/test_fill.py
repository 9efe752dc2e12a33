"""A vector name that another process added is known at once, to readers and writers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer import CollectionDamaged, InvalidPoint, LocalCollection, LocalStore
from tests.indexer.local.points import assert_holds, point, points
from tests.indexer.local.test_damage import flip, raw_files
from tests.indexer.model import unit

NEW = unit(np.arange(1.0, 6.0))


def test_what_was_added_elsewhere_is_known(collection: LocalCollection, tmp_path: Path) -> None:
    collection.upsert(points(range(500)))
    other = LocalStore(tmp_path)
    observer = other.open("photos")
    both = replace(point(7), vectors={**point(7).vectors, "new": NEW})
    with pytest.raises(InvalidPoint, match="no vector 'new'"):
        observer.upsert([both])
    collection.add_vector("new", 5)
    assert observer.search(NEW, vector="new").hits == []
    observer.upsert([both])
    collection.set_vectors({point(8).id: {"new": -NEW}})
    assert [hit.id for hit in observer.search(NEW, vector="new").hits] == [both.id, point(8).id]
    np.testing.assert_array_equal(
        collection.get([both.id], with_vectors=["new"])[0].vectors["new"], NEW
    )
    assert_holds(observer, points(range(500)))
    observer.verify()
    other.close()


def test_vectors_set_go_with_a_snapshot(collection: LocalCollection, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    collection.upsert(points(range(50)))
    collection.add_vector("new", 5)
    collection.set_vectors({one.id: {"new": NEW} for one in points(range(10, 20))})
    collection.delete([point(15).id])
    collection.compact()
    manifest = collection.snapshot(tmp_path / "photos.tar")
    assert manifest.vectors == {"default": 8, "new": 5}
    restored = store.restore(tmp_path / "photos.tar", "copy")
    found = {hit.id for hit in restored.search(NEW, vector="new", limit=100).hits}
    assert found == {point(n).id for n in range(10, 20) if n != 15}
    store.close()


def test_a_vector_too_long_for_a_file_is_refused(collection: LocalCollection) -> None:
    with pytest.raises(ValueError, match="cannot hold one vector 'new'"):
        collection.add_vector("new", 16_384)
    assert dict(collection.schema.vectors) == {"default": 8}


def test_damage_to_a_name_that_was_added_is_found(
    collection: LocalCollection, tmp_path: Path
) -> None:
    collection.upsert(points(range(50)))
    collection.add_vector("new", 5)
    collection.set_vectors({one.id: {"new": NEW} for one in points(range(50))})
    flip(raw_files(tmp_path / "collections" / "photos")[-1], 5000)
    with pytest.raises(CollectionDamaged, match=r"new-000000.f32: rows 0 to 50"):
        collection.verify()
