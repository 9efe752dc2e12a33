import os
from pathlib import Path

import pytest

from ingestion import Item, NothingFound, PathNotFound, walk
from tests.users import unprivileged


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(root: Path, **options: object) -> list[str]:
    found = walk(root, **options)  # type: ignore[arg-type]
    return [item.path.relative_to(root).as_posix() for item in found]


def test_a_tree_comes_in_name_order_without_hidden_files(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/2.jpg", "b/10.jpg", "a.jpg", "c.txt", ".hidden.jpg", ".git/x.jpg", "b/.x.jpg"
    )
    assert names(tmp_path) == ["a.jpg", "b/10.jpg", "b/2.jpg", "c.txt"]


def test_the_root_may_be_one_file_even_a_hidden_one(tmp_path: Path) -> None:
    touch(tmp_path, ".one.jpg")
    path = tmp_path / ".one.jpg"
    assert list(walk(path)) == [Item(path.as_uri(), path, source=path.as_uri())]


def test_assets_are_absolute_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "in/ä b#c?.jpg")
    monkeypatch.chdir(tmp_path)
    (item,) = walk(Path("in"))
    assert item.asset == f"{tmp_path.as_uri()}/in/%C3%A4%20b%23c%3F.jpg"
    assert item.path == tmp_path / "in/ä b#c?.jpg"


def test_a_file_has_one_asset_however_its_folder_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "in/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    monkeypatch.chdir(tmp_path / "in")
    spellings = [tmp_path / "in", tmp_path / "link", Path(), Path("../in"), Path("a.jpg")]
    assets = {item.asset for spelling in spellings for item in walk(spelling)}
    assert assets == {(tmp_path / "in/a.jpg").resolve().as_uri()}


def test_names_of_any_bytes_have_assets(tmp_path: Path) -> None:
    for name in (b"new\nline.jpg", b"latin-\xe9.jpg"):
        (Path(os.fsdecode(bytes(tmp_path) + b"/" + name))).write_bytes(b"x")
    assert [item.asset.rpartition("/")[2] for item in walk(tmp_path)] == [
        "latin-%E9.jpg",
        "new%0Aline.jpg",
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["*.jpg"]}, ["a.jpg", "raw/C.JPG", "raw/old/d.jpg"]),
        ({"include": ["raw/*"]}, ["raw/C.JPG", "raw/b.png", "raw/old/d.jpg"]),
        ({"exclude": ["raw"]}, ["a.jpg", "e.txt"]),
        ({"exclude": ["raw/old", "*.txt"]}, ["a.jpg", "raw/C.JPG", "raw/b.png"]),
        (
            {"include": ["*.jpg", "*.png"], "exclude": ["c.*"]},
            ["a.jpg", "raw/b.png", "raw/old/d.jpg"],
        ),
    ],
)
def test_globs(tmp_path: Path, options: dict[str, list[str]], expected: list[str]) -> None:
    touch(tmp_path, "a.jpg", "raw/b.png", "raw/C.JPG", "raw/old/d.jpg", "e.txt")
    assert names(tmp_path, **options) == expected


def test_a_missing_path_is_an_error_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="nowhere does not exist"):
        walk(tmp_path / "nowhere")


def test_no_file_at_all_is_an_error_at_the_call(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    with pytest.raises(NothingFound, match=r"holds no file$"):
        walk(tmp_path)


def test_globs_that_leave_nothing_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    with pytest.raises(NothingFound, match="globs"):
        walk(tmp_path, include=["*.jpg"])


def test_links_are_listed_with_a_reason_to_skip_them(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.jpg")
    (tmp_path / "file.jpg").symlink_to(tmp_path / "real/a.jpg")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    assert [(item.path.name, bool(item.skip)) for item in walk(tmp_path)] == [
        ("file.jpg", True),
        ("folder", True),
        ("a.jpg", False),
    ]


def test_links_are_followed_on_request_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "in/z/a.jpg", "outside/b.jpg")
    (tmp_path / "in/out").symlink_to(tmp_path / "outside")
    (tmp_path / "in/self").symlink_to(tmp_path / "in")
    (tmp_path / "in/z/up").symlink_to(tmp_path / "in")
    (tmp_path / "outside/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/ouroboros").symlink_to("ouroboros")
    assert names(tmp_path / "in", follow_symlinks=True) == ["ouroboros", "out/b.jpg", "z/a.jpg"]


def test_a_folder_that_cannot_be_listed_is_an_item(tmp_path: Path) -> None:
    touch(tmp_path, "closed/a.jpg", "open.jpg")
    (tmp_path / "closed").chmod(0)
    with unprivileged():
        assert names(tmp_path) == ["closed", "open.jpg"]
