import os
from pathlib import Path

import pytest

from encoders import EncoderMismatch
from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore, Schema
from ingestion import IngestOptions, Plan, VideoOptions, ingest, plan, walk
from tests import media as make


def files(root: Path) -> dict[str, bytes]:
    """All that is stored; SQLite's shared memory, which readers mark, is not."""
    paths = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".db-shm")
    return {str(path): path.read_bytes() for path in paths}


def test_everything_is_new_to_a_collection_yet_to_be_made(
    media: Path, encoder: FakeEncoder
) -> None:
    paths = make.save_pictures(media, 3)
    paths.append(make.save_video(media / "v.mp4", make.frames(["red"])))
    (media / "notes.txt").write_text("hello")
    (media / "bad.jpg").write_bytes(b"hello")
    made = plan(walk(media), None, encoder)
    reasons = made.reasons
    assert made == Plan(
        found=6,
        new=4,
        skipped=1,
        unusable=1,
        images=3,
        videos=1,
        bytes=sum(path.stat().st_size for path in paths),
        video_bytes=paths[-1].stat().st_size,
        reasons=reasons,
    )
    assert list(reasons) == [(media / "bad.jpg").as_uri()]


def test_it_tells_what_is_new_changed_unchanged_and_failed(
    media: Path, tmp_path: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    paths = make.save_pictures(media, 4)
    (media / "cut.jpg").write_bytes(make.encoded(make.picture())[:300])
    for _ in ingest(walk(media), encoder, collection):
        pass
    make.save_pictures(media, 2, first=10)
    paths[0].write_bytes(make.encoded(make.picture(99)))
    os.utime(paths[1], ns=(0, 1))  # its time is new, its content is not
    before = files(tmp_path)
    made = plan(walk(media), collection, encoder)
    assert files(tmp_path) == before
    assert (made.found, made.new, made.changed, made.unchanged, made.failed_before) == (
        7,
        2,
        1,
        3,
        1,
    )
    assert "cut short" in made.reasons[(media / "cut.jpg").as_uri()]
    assert made.images == 3
    *_, last = ingest(walk(media), encoder, collection)
    assert last.report is not None
    assert last.report.done == made.new + made.changed
    assert last.report.unchanged == made.unchanged + made.failed_before


def test_failures_count_as_work_where_they_are_tried_again(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    (media / "cut.jpg").write_bytes(make.encoded(make.picture())[:300])
    for _ in ingest(walk(media), encoder, collection):
        pass
    assert plan(walk(media), collection, encoder).images == 0
    made = plan(walk(media), collection, encoder, IngestOptions(retry_failed=True))
    assert (made.found, made.failed_before, made.images) == (1, 1, 1)


def test_other_options_make_work(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 1)
    make.save_video(media / "v.mp4", make.frames(["red"]))
    for _ in ingest(walk(media), encoder, collection):
        pass
    options = IngestOptions(video=VideoOptions(frames=4))
    made = plan(walk(media), collection, encoder, options)
    assert (made.unchanged, made.changed, made.videos) == (1, 1, 1)


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    other = LocalStore(tmp_path).create("a", Schema({"default": 48}, "x", {"image": "other"}))
    with pytest.raises(EncoderMismatch):
        plan([], other, FakeEncoder())
    other.close()
