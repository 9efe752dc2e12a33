import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.fake import FakeEncoder
from indexer import Filter, LocalCollection, Record
from ingestion import (
    EncodingStopped,
    IngestError,
    IngestOptions,
    SourceOptions,
    ingest,
    open_source,
)
from tests import media as make
from tests.ingestion.conftest import ingested, payloads

TEXTS = SourceOptions(texts=True)


class Mute(FakeEncoder):
    """An encoder without its text tower."""

    info = replace(FakeEncoder.info, modalities=frozenset({"image"}))


def points_of(asset: str, collection: LocalCollection) -> dict[str, Record]:
    """The points of an asset by their kind."""
    records = collection.scroll(with_vectors=["default"]).records
    return {one.payload["kind"]: one for one in records if one.asset == asset}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    make.save_pictures(folder, 3)
    (folder / "00000.txt").write_text("\ufeffa red boat\n", "utf-8")
    (folder / "00001.jpg.json").write_text(
        json.dumps({"by": "Ann", "width": 9, "place": {"lat": 1.5, "lon": 2}})
    )
    (folder / "notes.txt").write_text("blue words")
    return folder


def test_what_lies_beside_a_picture_is_said_of_it(
    photos: Path, collection: LocalCollection
) -> None:
    report, rows = ingested(open_source(str(photos), SourceOptions()), collection)
    assert (report.done, report.skipped) == (3, 1)
    said = payloads(collection)
    assert said[(photos / "00000.jpg").as_uri(), "image"]["text"] == "a red boat"
    second = said[(photos / "00001.jpg").as_uri(), "image"]
    assert (second["by"], second["width"], second["place"]) == ("Ann", 64, {"lat": 1.5, "lon": 2})
    assert "text" not in said[(photos / "00002.jpg").as_uri(), "image"]
    assert not any(asset.endswith(("00000.txt", ".json")) for asset in rows)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("00002.txt", b"\xff\xfe", "not UTF-8 text"),
        ("00002.txt", b"x" * 70_000, "more than 64 kB"),
        ("00002.json", b"{", "not JSON"),
        ("00002.json", b"[]", "not a JSON object"),
        ("00002.json", b'{"x": Infinity}', "Infinity is not JSON"),
        ("00002.json", b'{"x": "\\ud800"}', "not valid Unicode"),
        ("00002.json", b'{"x": ' * 3000, "not JSON"),
    ],
)
def test_a_bad_sidecar_is_left_out_and_told(
    name: str, content: bytes, words: str, photos: Path, collection: LocalCollection
) -> None:
    (photos / name).write_bytes(content)
    report, rows = ingested(open_source(str(photos), SourceOptions()), collection)
    assert (report.done, report.failed) == (3, 0)
    reason = rows[(photos / "00002.jpg").as_uri()].reason
    assert name in reason
    assert words in reason


def test_captions_and_texts_are_found_by_image(photos: Path, collection: LocalCollection) -> None:
    report, rows = ingested(open_source(str(photos), TEXTS), collection)
    assert (report.done, report.skipped, report.points) == (4, 0, 5)
    assert rows[(photos / "00000.jpg").as_uri()].points == 2
    image = FakeEncoder().encode_images([make.plain("blue")])["default"][0]
    texts = Filter.parse({"must": [{"key": "kind", "match": {"value": "text"}}]})
    (hit, *_) = collection.search(image, filter=texts).hits
    assert (hit.payload["text"], hit.payload["name"]) == ("blue words", "notes.txt")
    assert hit.asset == (photos / "notes.txt").as_uri()


def test_a_caption_that_changes_is_encoded_alone(photos: Path, collection: LocalCollection) -> None:
    ingested(open_source(str(photos), TEXTS), collection)
    asset = (photos / "00000.jpg").as_uri()
    before = points_of(asset, collection)
    (photos / "00000.txt").write_text("a green boat")
    encoder = FakeEncoder()
    report, _ = ingested(open_source(str(photos), TEXTS), collection, encoder=encoder)
    assert (report.done, report.unchanged) == (1, 3)
    after = points_of(asset, collection)
    same = {kind: (one.vectors["default"] == after[kind].vectors["default"]).all()
            for kind, one in before.items()}  # fmt: skip
    assert same == {"image": True, "text": False}
    assert after["image"].payload["text"] == after["text"].payload["text"] == "a green boat"
    report, _ = ingested(open_source(str(photos), SourceOptions()), collection)
    assert points_of(asset, collection).keys() == {"image"}


def test_an_encoder_without_the_tower_is_refused(photos: Path, collection: LocalCollection) -> None:
    source = open_source(str(photos), TEXTS)
    with pytest.raises(IngestError, match="without its text tower"):
        ingest(source, Mute(), collection, IngestOptions(needs=source.needs))


def test_a_picture_among_texts_alone_ends_the_job(
    photos: Path, collection: LocalCollection
) -> None:
    options = IngestOptions(needs=frozenset({"text"}))
    with pytest.raises((EncodingStopped, IngestError)):
        list(ingest(open_source(str(photos), TEXTS), FakeEncoder(), collection, options))


def test_a_text_point_has_the_vector_of_its_words(
    tmp_path: Path, collection: LocalCollection
) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "yellow"}\n{"text": "yellow"}\n{"text": 5}\n')
    report, _ = ingested(open_source(str(tmp_path / "t.jsonl"), SourceOptions()), collection)
    assert (report.done, report.failed) == (1, 2)
    (record,) = collection.scroll(with_vectors=["default"]).records
    expected = FakeEncoder().encode_texts(["yellow"])["default"][0]
    np.testing.assert_allclose(record.vectors["default"], expected, atol=1e-6)
    assert record.asset.startswith("text:")
