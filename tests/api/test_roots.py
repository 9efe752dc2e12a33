from pathlib import Path

import pytest

from api.roots import Roots
from indexer import CollectionDamaged


def test_only_files_inside_allowed_folders(tmp_path: Path) -> None:
    photos, private = tmp_path / "photos", tmp_path / "private"
    photos.mkdir()
    private.mkdir()
    secret = private / "secret.jpg"
    secret.write_bytes(b"")
    (photos / "link.jpg").symlink_to(secret)
    roots = Roots(tmp_path, [photos])
    assert roots.allow(photos / "a.jpg")
    assert not roots.allow(secret)
    assert not roots.allow(photos / ".." / "private" / "secret.jpg")
    assert not roots.allow(photos / "link.jpg")


def test_ingested_folders_are_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "fotos \udcff"  # not UTF-8
    Roots(tmp_path / "data", []).add(folder)
    Roots(tmp_path / "data", []).add(folder)
    again = Roots(tmp_path / "data", [])
    assert again.all() == [folder]
    assert again.allow(folder / "a.jpg")


def test_a_new_installation_allows_nothing(tmp_path: Path) -> None:
    assert Roots(tmp_path, []).all() == []
    assert not Roots(tmp_path, []).allow(tmp_path)


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "polylens.db").write_bytes(b"no database" * 500)
    roots = Roots(tmp_path, [])
    with pytest.raises(CollectionDamaged, match=r"polylens\.db"):
        roots.add(tmp_path)
    with pytest.raises(CollectionDamaged, match=r"polylens\.db"):
        roots.allow(tmp_path)
