"""A second vector name for what was ingested with one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from encoders import EncoderMismatch, Pixels, Vectors
from encoders.fake import FakeEncoder
from encoders.fingerprint import digest
from indexer import Collection, LocalCollection
from ingestion import Item, Report, backfill, ingest, walk
from ingestion.items import local_path
from tests.ingestion.test_staging import OPTIONS, save_long_video
from tests.media import encoded, frames, plain, save_video

COLOURS = ("red", "green", "blue", "yellow", "black", "white")


class WideEncoder(FakeEncoder):
    """The fake encoder with a second vector name, the first turned round."""

    info = replace(
        FakeEncoder.info,
        name="wide",
        vectors={"default": 48, "turned": 48},
        fingerprint={
            **FakeEncoder.info.fingerprint,
            "vectors": digest({"default": 48, "turned": 48}),
            "image": "wide",
        },
    )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return wide(super().encode_texts(texts))

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        return wide(super().encode_pixels(pixels, normalize=normalize))


class OtherEncoder(WideEncoder):
    """One whose first vector is not that of the fake encoder."""

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        made = super().encode_pixels(pixels, normalize=normalize)
        return {"default": made["turned"], "turned": made["default"]}


def wide(made: Vectors) -> Vectors:
    return {**made, "turned": np.ascontiguousarray(made["default"][:, ::-1])}


@pytest.fixture
def filled(collection: LocalCollection, encoder: FakeEncoder, media: Path) -> LocalCollection:
    for colour in COLOURS:
        (media / f"{colour}.png").write_bytes(encoded(plain(colour), "PNG"))
    save_video(media / "film.mp4", frames(("red", "blue"), each=40), fps=10)
    *_, last = ingest(walk(media), encoder, collection)
    assert last.report is not None
    assert last.report.done == 7
    return collection


def originals(collection: Collection) -> list[Item]:
    rows = collection.ledger.rows("done")
    return [Item(row.asset, path) for row in rows if (path := local_path(row.asset))]


def run(collection: Collection, encoder: FakeEncoder) -> Report:
    *_, last = backfill(originals(collection), encoder, collection)
    assert last.report is not None
    return last.report


def check(collection: Collection) -> None:
    """Every point has both vectors, the second turned round from the first."""
    records = collection.scroll(limit=100, with_vectors=["default", "turned"]).records
    assert len(records) == 9
    for record in records:
        np.testing.assert_allclose(
            record.vectors["turned"], record.vectors["default"][::-1], atol=1e-6
        )


def test_points_gain_a_vector_and_keep_the_rest(filled: LocalCollection) -> None:
    everything = filled.scroll(limit=100).records
    filled.set_payload([everything[0].id], {"mine": True})
    before = filled.scroll(limit=100, with_vectors=["default"]).records
    assert run(filled, WideEncoder()).done == 7
    assert filled.scroll(limit=100, with_vectors=["default"]).records[0].payload["mine"] is True
    for old, new in zip(
        before, filled.scroll(limit=100, with_vectors=["default"]).records, strict=True
    ):
        assert (old.id, old.asset, old.payload) == (new.id, new.asset, new.payload)
        np.testing.assert_array_equal(old.vectors["default"], new.vectors["default"])
    check(filled)
    assert dict(filled.schema.vectors) == WideEncoder.info.vectors
    assert filled.schema.encoder == "wide"
    assert filled.usage().dead == 0
    again = run(filled, WideEncoder())
    assert (again.done, again.unchanged) == (0, 7)
    *_, last = ingest(originals(filled), WideEncoder(), filled)
    assert last.report is not None
    assert last.report.unchanged == 7


def test_what_was_interrupted_goes_on(filled: LocalCollection) -> None:
    some = originals(filled)[:3]
    *_, last = backfill(some, WideEncoder(), filled)
    assert last.report is not None
    assert last.report.done == 3
    partly = backfill(originals(filled), WideEncoder(), filled)
    list(islice(partly, 1))
    partly.close()
    run(filled, WideEncoder())
    check(filled)


def test_a_file_that_is_gone_keeps_what_it_has(filled: LocalCollection, media: Path) -> None:
    items = originals(filled)
    (media / "red.png").unlink()
    *_, last = backfill(items, WideEncoder(), filled)
    assert last.report is not None
    assert (last.report.done, last.report.failed) == (6, 1)
    [row] = filled.ledger.get([(media / "red.png").as_uri()]).values()
    assert (row.status, row.fingerprint) != ("failed", "")
    lacking = [
        record.asset
        for record in filled.scroll(limit=100, with_vectors=["turned"]).records
        if "turned" not in record.vectors
    ]
    assert lacking == [row.asset]


def test_a_file_that_changed_is_ingested_anew(filled: LocalCollection, media: Path) -> None:
    (media / "red.png").write_bytes(encoded(plain("green"), "PNG"))
    assert run(filled, WideEncoder()).done == 7
    check(filled)
    green = FakeEncoder().encode_images([plain("green")])["default"][0]
    assert {"red.png", "green.png"} <= {
        hit.payload["name"] for hit in filled.search(green, limit=2).hits
    }


def test_vectors_of_another_encoder_are_not_mixed_in(filled: LocalCollection) -> None:
    with pytest.raises(EncoderMismatch, match=r"vector 'default' of file:.*cosine"):
        run(filled, OtherEncoder())
    assert dict(filled.schema.vectors) == {"default": 48}
    assert filled.schema.encoder == "fake"
    assert run(filled, FakeEncoder()).unchanged == 7


def test_an_encoder_that_lacks_a_vector_is_refused(filled: LocalCollection) -> None:
    run(filled, WideEncoder())
    with pytest.raises(EncoderMismatch, match="cannot continue"):
        run(filled, FakeEncoder())


def test_a_long_video_gains_vectors_too(
    collection: LocalCollection, encoder: FakeEncoder, media: Path
) -> None:
    save_long_video(media / "long.mp4")
    list(ingest(walk(media), encoder, collection, OPTIONS))
    count = collection.count()
    assert count > 33
    list(backfill(originals(collection), WideEncoder(), collection, OPTIONS))
    records = collection.scroll(limit=1000, with_vectors=["turned"]).records
    assert [len(record.vectors) for record in records] == [1] * count
    assert collection.usage().dead == 0
