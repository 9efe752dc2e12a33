import json
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run
from tests.media import encoded, picture, plain

UNIQUE = '{"must": [{"is_empty": {"key": "duplicate_of"}}]}'


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A picture in three sizes, another one, and a plain one twice."""
    folder = tmp_path / "album"
    folder.mkdir()
    for width in (600, 300, 150):
        size = (width, width * 3 // 4)
        (folder / f"{width}.jpg").write_bytes(encoded(picture(1).resize(size)))
    (folder / "other.jpg").write_bytes(encoded(picture(2)))
    for number in range(2):
        (folder / f"plain{number}.jpg").write_bytes(encoded(plain("red")))
    return folder


def test_copies_are_found_recorded_and_listed(run: Run, album: Path) -> None:
    assert "2 near-duplicates of better files: polylens duplicates" in run("ingest", album).out
    shown = run("duplicates").out
    lines = [line.split()[-1] for line in shown.splitlines()[:3]]
    assert lines == [str(album / f"{width}.jpg") for width in (600, 300, 150)]
    assert "1 group, 2 copies" in shown
    (group,) = map(json.loads, run("duplicates", "--json").out.splitlines())
    assert group["spare_bytes"] == sum(one["size"] for one in group["others"])
    found = json.loads(run("search", "red", "-n", "10", "--filter", UNIQUE, "--json").out)
    names = {hit["payload"]["name"] for hit in found["hits"]}
    assert names == {"600.jpg", "other.jpg", "plain0.jpg", "plain1.jpg"}


def test_what_is_pruned_leaves_its_group(run: Run, album: Path) -> None:
    run("ingest", album)
    (album / "600.jpg").unlink()
    assert "1 near-duplicate of a better file" in run("ingest", album, "--prune").out
    (group,) = map(json.loads, run("duplicates", "--json").out.splitlines())
    assert group["best"]["asset"].endswith("300.jpg")


def test_without_comparing_nothing_is_recorded_until_asked(run: Run, album: Path) -> None:
    assert "look like" not in run("ingest", album, "--set", "near_duplicates=false").out
    found = json.loads(run("search", "red", "-n", "10", "--filter", UNIQUE, "--json").out)
    assert len(found["hits"]) == 6
    run("duplicates")
    found = json.loads(run("search", "red", "-n", "10", "--filter", UNIQUE, "--json").out)
    assert len(found["hits"]) == 4


def test_nothing_looks_the_same(run: Run, photos: Path) -> None:
    run("ingest", photos)
    assert run("duplicates").out == "0 groups, 0 copies, 0 bytes in them\n"
    assert run("duplicates", "-c", "nowhere").code == 1
