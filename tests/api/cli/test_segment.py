"""`polylens segment` on files and on a collection."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer import Filter, LocalStore
from tests.api.cli.conftest import Run
from tests.encoders.heads.test_segmentation import public_probe


@pytest.fixture
def segmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny checkpoint, named in the environment."""
    path = public_probe(tmp_path / "linear_frozen.safetensors")
    monkeypatch.setenv("POLYLENS_SEGMENTER", str(path))
    return path


@pytest.mark.usefixtures("segmenter")
def test_files_get_a_line_and_two_pictures(run: Run, photos: Path, tmp_path: Path) -> None:
    ran = run("segment", photos, "--out", tmp_path / "maps")
    assert ran.code == 3
    assert "film.mp4: a video (MP4), not an image" in ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [Path(line["file"]).suffix for line in lines] == [".jpg"] * 3
    assert all(sum(line["areas"].values()) == pytest.approx(1, abs=0.01) for line in lines)
    maps = sorted((tmp_path / "maps").glob("*-classes.png"))
    assert len(maps) == len(lines) == len(list((tmp_path / "maps").glob("*-overlay.png")))
    with Image.open(maps[0]) as picture:
        assert len(np.unique(np.asarray(picture))) == len(lines[0]["areas"])


@pytest.mark.usefixtures("segmenter")
def test_shares_become_payload_that_filters(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("ingest", photos).code == 0
    (photos / "green.jpg").unlink()
    ran = run("segment", "--tag")
    assert ran.code == 3
    assert "green.jpg: the original no longer exists" in ran.err
    with closing(LocalStore(tmp_path / "data")) as store:
        collection = store.open("default")
        tagged = [r for r in collection.scroll(limit=100).records if "areas" in r.payload]
        assert len(tagged) == 2
        name, share = next(iter(tagged[0].payload["areas"].items()))
        condition = {"key": f"areas.{name}", "range": {"gte": share}}
        assert collection.count(Filter.parse({"must": [condition]})) >= 1


def test_without_a_checkpoint_it_says_what_to_set(run: Run, photos: Path) -> None:
    ran = run("segment", photos)
    assert ran.code == 1
    assert "POLYLENS_SEGMENTER" in ran.err


def test_a_folder_or_a_collection(run: Run, photos: Path) -> None:
    for arguments in ((), (photos, "--tag"), ("--tag", "--out", photos)):
        ran = run("segment", *arguments)
        assert ran.code == 2
        assert "either a FOLDER" in ran.err
