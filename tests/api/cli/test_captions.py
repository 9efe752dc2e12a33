"""`polylens ingest --captions` with a tiny InternVL-G."""

import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api import captions
from api.captions import Captioner
from api.installation import Installation
from api.settings import Settings
from api.stored import picture_of
from encoders import LoadOptions
from encoders.internvl.load import load_internvl
from indexer import Collection, LocalStore
from ingestion import Seen
from retrieval import Part, Query
from retrieval.fusion import WORDS
from tests.api.cli.conftest import Run
from tests.encoders.internvl.tiny import DATA, TINY

IMAGES = sorted((DATA / "images").glob("*.png"))


@pytest.fixture
def tiny(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("POLYLENS_ENCODER", str(TINY))
    monkeypatch.setenv("POLYLENS_DEVICE", "cpu")
    return run


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    """Three synthetic pictures and a film of two moments."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for image in IMAGES:
        shutil.copy(image, folder / image.name)
    shutil.copy(photos / "film.mp4", folder / "film.mp4")
    return folder


def stored(data: Path, kind: str = "image") -> Mapping[str, dict[str, Any]]:
    """Name -> payload of the points of a kind; segments by their starts."""
    with closing(LocalStore(data)) as store:
        records = store.open("default").scroll(limit=100).records
    own = [dict(record.payload) for record in records if record.payload["kind"] == kind]
    return {str(one["start"] if kind == "segment" else one["name"]): one for one in own}


def listed(collection: Collection) -> Seen:
    """All its assets."""
    seen = Seen()
    for record in collection.scroll(limit=100).records:
        seen.add(record.asset)
    return seen


def test_photos_and_moments_get_captions(tiny: Run, folder: Path, tmp_path: Path) -> None:
    ran = tiny("ingest", folder, "--captions", "--json")
    assert ran.code == 0, ran.err
    moments = stored(tmp_path / "data", "segment")
    assert json.loads(ran.out)["captions"] == {"written": 3 + len(moments), "left_out": 0}
    assert len(moments) >= 2
    assert all(moment["caption"].strip() for moment in moments.values())
    whole = stored(tmp_path / "data", "video")["film.mp4"]
    assert "caption" not in whole
    encoder = load_internvl(str(TINY), LoadOptions(device="cpu"))
    with Installation(Settings(data=tmp_path / "data")) as polylens:
        for record in polylens.store.open("default").scroll(limit=100).records:
            if record.payload["kind"] != "video":
                picture = picture_of(polylens, record)
                assert picture is not None
                assert record.payload["caption"] == encoder.caption([picture])[0]


def test_what_people_wrote_stays(tiny: Run, folder: Path, tmp_path: Path) -> None:
    first, second, third = (image.name for image in IMAGES)
    (folder / first).with_suffix(".txt").write_text("our dog at the lake")
    (folder / second).with_suffix(".json").write_text('{"caption": "Anna, 1974"}')
    assert tiny("ingest", folder, "--captions").code == 0
    found = stored(tmp_path / "data")
    assert found[first]["text"] == "our dog at the lake"
    assert found[first]["caption"] not in ("", found[first]["text"])
    assert found[second]["caption"] == "Anna, 1974"
    assert "text" not in found[third]


def test_a_collection_that_is_there_gets_them_without_encoding_again(
    tiny: Run, folder: Path, tmp_path: Path
) -> None:
    assert tiny("ingest", folder).code == 0
    assert not any("caption" in payload for payload in stored(tmp_path / "data").values())
    ran = tiny("ingest", folder, "--captions", "--json")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert (report["done"], report["unchanged"], report["points"]) == (0, 4, 0)
    assert all("caption" in payload for payload in stored(tmp_path / "data").values())
    again = json.loads(tiny("ingest", folder, "--captions", "--json").out)
    assert again["captions"] == {"written": 0, "left_out": 0}


def test_only_what_was_listed_is_captioned(tiny: Run, folder: Path, tmp_path: Path) -> None:
    assert tiny("ingest", folder).code == 0
    ran = tiny("ingest", folder / IMAGES[0].name, "--captions")
    assert "1 caption written" in ran.out
    named = {name for name, one in stored(tmp_path / "data").items() if "caption" in one}
    assert named == {IMAGES[0].name}


def test_it_goes_on_where_it_was_stopped(
    tiny: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tiny("ingest", folder).code == 0
    monkeypatch.setattr(captions, "BATCH", 2)
    settings = Settings(data=tmp_path / "data", encoder=str(TINY), device="cpu")
    with Installation(settings) as polylens:
        collection = polylens.store.open("default")
        steps = Captioner(polylens, collection).run(collection, listed(collection))
        assert next(steps).written == 2
        steps.close()
    images, moments = stored(tmp_path / "data"), stored(tmp_path / "data", "segment")
    there = {name: one["caption"] for name, one in images.items() if "caption" in one}
    there |= {name: one["caption"] for name, one in moments.items() if "caption" in one}
    assert len(there) == 2
    ran = json.loads(tiny("ingest", folder, "--captions", "--json").out)
    assert ran["captions"]["written"] == len(images) + len(moments) - 2
    after = {**stored(tmp_path / "data"), **stored(tmp_path / "data", "segment")}
    assert all(after[name]["caption"] == caption for name, caption in there.items())


def test_members_of_shards_get_captions(tiny: Run, tmp_path: Path) -> None:
    shard = tmp_path / "shard.tar"
    with tarfile.open(shard, "w") as tar:
        tar.add(IMAGES[0], "000.png")
    ran = tiny("ingest", shard, "--captions")
    assert ran.code == 0, ran.err
    assert "1 caption written" in ran.out
    assert stored(tmp_path / "data")["000.png"]["caption"]


def test_pictures_that_cannot_be_had_are_counted(tiny: Run, folder: Path, tmp_path: Path) -> None:
    assert tiny("ingest", folder, "--exclude", "*.mp4").code == 0
    (folder / IMAGES[0].name).unlink()
    settings = Settings(data=tmp_path / "data", encoder=str(TINY), device="cpu")
    with Installation(settings) as polylens:
        collection = polylens.store.open("default")
        (done,) = Captioner(polylens, collection).run(collection, listed(collection))
    assert (done.written, done.left_out) == (2, 1)


@pytest.mark.parametrize(
    "arguments", [["--encoder", "fake"], ["--towers", "image"], ["--encoder", "fake", "--dry-run"]]
)
def test_encoders_without_captions_are_refused_first(
    tiny: Run, folder: Path, tmp_path: Path, arguments: list[str]
) -> None:
    ran = tiny("ingest", folder, "--captions", *arguments)
    assert ran.code == 1
    assert "cannot write captions: that needs InternVL-14B" in ran.err
    with closing(LocalStore(tmp_path / "data")) as store:
        assert store.names() == []


def test_captions_are_found_by_their_words(tiny: Run, folder: Path, tmp_path: Path) -> None:
    """The tiny model writes no language, but some of it is words."""
    assert tiny("ingest", folder, "--captions").code == 0
    moment = stored(tmp_path / "data", "segment")["0.0"]
    words = set(re.findall(r"(?<!\w)[a-z]{3,}(?!\w)", moment["caption"]))
    assert words
    with Installation(Settings(data=tmp_path / "data", encoder=str(TINY))) as polylens:
        collection = polylens.store.open("default")
        query = " ".join(words)
        (hit,) = collection.find_text(query)
        assert (hit.payload["name"], hit.payload["start"]) == ("film.mp4", 0.0)
        answer = polylens.searcher("default").search(Query([Part(text=query)], explain=True))
    assert {stage.name: stage.count for stage in answer.stages}[WORDS] == 1
