import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders import EncoderInfo, EncoderMismatch, InvalidInput, Pixels, Vectors
from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore, Record, Schema, point_id
from ingestion import (
    EncodingStopped,
    FileEvent,
    IngestError,
    IngestOptions,
    Item,
    Report,
    VideoOptions,
    ingest,
    load_image,
    walk,
)
from ingestion.phash import perceptual_hash
from tests import media as make
from tests.users import unprivileged


class Brittle(FakeEncoder):
    """Refuses batches that hold a pure white image, as an encoder out of memory would."""

    def __init__(self, error: type[Exception] = RuntimeError, at: int = 255) -> None:
        self.error, self.at = error, at
        self.batches: list[int] = []

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        self.batches.append(len(pixels))
        if any((image >= self.at).all() for image in pixels):
            raise self.error("no")
        return super().encode_pixels(pixels, normalize=normalize)


def run(
    media: Path,
    encoder: FakeEncoder,
    collection: LocalCollection,
    options: IngestOptions | None = None,
) -> tuple[Report, dict[str, FileEvent]]:
    """Ingest a folder; the report and what was told of each file, by name."""
    snapshots = list(ingest(walk(media), encoder, collection, options))
    *before, last = snapshots
    assert last.final
    assert not any(snapshot.final or snapshot.report for snapshot in before)
    report = last.report
    assert report is not None
    assert report.found == report.done + report.unchanged + report.skipped + report.failed
    events = [snapshot.event for snapshot in snapshots if snapshot.event]
    return report, {event.asset.rpartition("/")[2]: event for event in events}


def age(path: Path) -> None:
    """Make a file look changed to whoever looks at its time."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 5_000_000_000))


def everything(collection: LocalCollection) -> dict[object, object]:
    records = collection.scroll(limit=10_000, with_vectors=["default"]).records
    return {
        record.id: (record.asset, record.payload, record.vectors["default"].tobytes())
        for record in records
    }


def test_a_folder_becomes_points_with_their_payload(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    paths = make.save_pictures(media / "2024", 40)
    report, events = run(media, encoder, collection)
    assert (report.found, report.done, report.points) == (40, 40, 40)
    assert report.bytes == sum(path.stat().st_size for path in paths)
    assert events["00007.jpg"] == FileEvent(paths[7].as_uri(), "done", "", 1)
    (record,) = collection.get([point_id(paths[7].as_uri(), "image")], with_vectors=["default"])
    row = collection.ledger.get([paths[7].as_uri()])[paths[7].as_uri()]
    assert record.payload == {
        "kind": "image",
        "name": "00007.jpg",
        "folder": str(media / "2024"),
        "width": 64,
        "height": 48,
        "format": "JPEG",
        "size": paths[7].stat().st_size,
        "mtime_ns": paths[7].stat().st_mtime_ns,
        "content_hash": row.content_hash,
        "phash": perceptual_hash(load_image(paths[7])),
    }
    alone = encoder.encode_images([make.picture(7)])["default"][0]
    assert float(alone @ record.vectors["default"]) > 0.99
    assert (row.status, row.points, row.attempts, row.reason) == ("done", 1, 1, "")


def test_every_snapshot_adds_up(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 30)
    items = list(walk(media))
    for snapshot in ingest(items, encoder, collection):
        assert snapshot.total == 30
        settled = snapshot.done + snapshot.unchanged + snapshot.skipped + snapshot.failed
        assert settled <= snapshot.found <= 30
    assert snapshot.rates.decode > 0
    assert snapshot.rates.encode > 0
    assert snapshot.rates.write > 0


def test_a_video_becomes_segments_and_a_whole(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    shots = make.frames(["red", "lime", "blue", "black"], each=60)
    path = make.save_video(media / "v.mp4", shots)
    report, _ = run(media, encoder, collection)
    assert (report.done, report.points) == (1, 4)
    ids = [point_id(path.as_uri(), "segment", start) for start in (0, 4000, 8000)]
    whole = point_id(path.as_uri(), "video")
    records = collection.get([*ids, whole], with_vectors=["default"])
    payloads = [record.payload for record in records]
    assert [(one["kind"], one["start"], one["end"]) for one in payloads] == [
        ("segment", 0, 4),
        ("segment", 4, 8),
        ("segment", 8, 12),
        ("video", 0, 16),
    ]
    for payload in payloads:
        assert payload["start"] <= payload["frame"] <= payload["end"]
        assert (payload["duration"], payload["format"]) == (16, "MP4")
        assert (payload["width"], payload["height"]) == (160, 120)
    queries = encoder.encode_texts(["red", "green", "blue"])["default"]
    scores = np.stack([record.vectors["default"] for record in records[:3]]) @ queries.T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
    hit = collection.search(queries[2], limit=1).hits[0]
    assert hit.payload["start"] == 8


def test_a_segment_is_the_mean_of_its_frames(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    shots = make.frames(["red", "blue"], each=30)
    path = make.save_video(media / "v.mp4", shots)
    options = IngestOptions(video=VideoOptions(frames=2, segment_seconds=4, segment_frames=2))
    run(media, encoder, collection, options)
    (record,) = collection.get([point_id(path.as_uri(), "segment", 0)], with_vectors=["default"])
    rows = encoder.encode_images([shots[15], shots[45]], normalize=False)["default"]
    mean = rows.mean(axis=0) / np.linalg.norm(rows.mean(axis=0))
    assert float(mean @ record.vectors["default"]) > 0.999


def test_every_kind_of_trouble_has_its_reason(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    good = make.save_pictures(media, 1)[0]
    data = make.encoded(make.picture(0, (400, 300)))
    (media / "cut.jpg").write_bytes(data[:900])
    (media / "empty.png").touch()
    (media / "page.jpg").write_bytes(b"<html>404</html>")
    (media / "notes.txt").write_text("hello")
    (media / "raw.nef").write_bytes(b"MM\0*")
    (media / "link.jpg").symlink_to(good)
    (media / "fake.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"junk" * 100)
    (media / "silent.webm").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    make.save_sound(media / "sound.mp4")
    make.save_video(media / "night.mp4", make.frames(["black"]))
    os.mkfifo(media / "pipe.jpg")
    bomb = Image.new("1", (30_000, 20_000))
    (media / "bomb.png").write_bytes(make.encoded(bomb, "PNG"))
    report, events = run(media, encoder, collection)
    assert (report.done, report.skipped, report.failed) == (1, 3, 9)
    reasons = {
        "cut.jpg": "cut short",
        "empty.png": "empty",
        "page.jpg": "its content is not an image",
        "notes.txt": "not an image or a video",
        "raw.nef": "raw camera file",
        "link.jpg": "links are not followed",
        "fake.mp4": "not a readable video",
        "silent.webm": "not a readable video",
        "sound.mp4": "sound but no video",
        "night.mp4": "every frame is black",
        "pipe.jpg": "not a regular file",
        "bomb.png": "600 MP",
    }
    for name, reason in reasons.items():
        assert reason in events[name].reason
    assert {row.asset.rpartition("/")[2] for row in collection.ledger.rows()} == {
        *reasons,
        good.name,
    }
    again, events = run(media, encoder, collection)
    assert (again.unchanged, again.failed_before, events) == (13, 9, {})


def test_what_may_not_be_read_says_so(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 2)[0].chmod(0)
    (media / "folder").mkdir(mode=0)
    with unprivileged():
        report, events = run(media, encoder, collection)
    assert (report.done, report.failed) == (1, 2)
    assert "Permission denied" in events["00000.jpg"].reason
    assert "cannot be read" in events["folder"].reason


def test_names_of_any_bytes_go_all_the_way(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    source = make.save_pictures(media, 1)[0]
    shutil.copy(source, media / "new\nline.jpg")
    source.rename(os.fsdecode(bytes(media) + b"/latin-\xe9.jpg"))
    report, _ = run(media, encoder, collection)
    assert report.done == 2
    names = {record.payload["name"] for record in collection.scroll().records}
    assert names == {"new\nline.jpg", "latin-�.jpg"}


def test_a_rerun_does_nothing(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 10)
    make.save_video(media / "v.mp4", make.frames(["red"]))
    run(media, encoder, collection)
    rows, points = list(collection.ledger.rows()), everything(collection)
    report, events = run(media, encoder, collection)
    assert (report.unchanged, report.points, events) == (11, 0, {})
    assert list(collection.ledger.rows()) == rows
    assert everything(collection) == points


def test_a_changed_file_replaces_its_points(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    path = make.save_pictures(media, 3)[1]
    run(media, encoder, collection)
    before = everything(collection)
    path.write_bytes(make.encoded(make.plain("red")))
    age(path)
    report, events = run(media, encoder, collection)
    assert (report.done, report.unchanged, list(events)) == (1, 2, [path.name])
    after = everything(collection)
    changed = point_id(path.as_uri(), "image")
    assert before.keys() == after.keys()
    assert [id_ for id_ in after if after[id_] != before[id_]] == [changed]
    query = encoder.encode_texts(["red"])["default"][0]
    assert collection.search(query, limit=1).hits[0].id == changed


def test_a_shorter_video_leaves_no_segment_behind(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    path = make.save_video(media / "v.mp4", make.frames(["red", "blue"], each=60))
    run(media, encoder, collection)
    assert collection.count() == 3
    make.save_video(path, make.frames(["red"], each=60))
    age(path)
    run(media, encoder, collection)
    assert collection.count() == 2


@pytest.mark.parametrize("name", ["a.jpg", "v.mp4"])
def test_a_file_whose_time_alone_is_new_is_not_encoded_again(
    media: Path, encoder: FakeEncoder, collection: LocalCollection, name: str
) -> None:
    (media / "a.jpg").write_bytes(make.encoded(make.picture(1)))
    make.save_video(media / "v.mp4", make.frames(["red", "blue"], each=60))
    run(media, encoder, collection)
    before = everything(collection)
    age(media / name)
    counting = Brittle()
    report, events = run(media, counting, collection)
    assert (report.unchanged, report.done, events, counting.batches) == (2, 0, {}, [])
    mtimes = {
        record.payload["name"]: record.payload["mtime_ns"] for record in collection.scroll().records
    }
    assert mtimes == {path.name: path.stat().st_mtime_ns for path in media.iterdir()}
    assert before.keys() == everything(collection).keys()
    assert run(media, counting, collection)[0].unchanged == 2


def test_many_files_whose_times_are_new_are_told_together(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    (path,) = make.save_pictures(media, 1)
    for number in range(40):
        shutil.copy(path, media / f"copy {number}.jpg")
    run(media, encoder, collection)
    for number, one in enumerate(sorted(media.iterdir())):
        os.utime(one, ns=(0, 10**18 + number // 4))
    assert run(media, encoder, collection)[0].unchanged == 41
    told = {Path(one.payload["folder"], one.payload["name"]): one.payload["mtime_ns"]
            for one in collection.scroll().records}  # fmt: skip
    assert told == {one: one.stat().st_mtime_ns for one in media.iterdir()}
    assert all(row.mtime_ns == told[Path(media, row.asset.rpartition("/")[2].replace("%20", " "))]
               for row in collection.ledger.rows())  # fmt: skip


def test_a_failed_second_encoding_keeps_the_first(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    path = make.save_pictures(media, 2)[0]
    run(media, encoder, collection)
    before = everything(collection)
    path.write_bytes(path.read_bytes()[:300])
    report, events = run(media, encoder, collection)
    assert (report.failed, report.unchanged) == (1, 1)
    assert "its earlier version stays searchable" in events[path.name].reason
    assert everything(collection) == before
    row = collection.ledger.get([path.as_uri()])[path.as_uri()]
    assert (row.status, row.points) == ("failed", 1)
    path.write_bytes(make.encoded(make.picture(99)))
    report, _ = run(media, encoder, collection)
    assert (report.done, collection.count()) == (1, 2)


def test_failures_are_tried_again_on_request(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    (media / "white.png").write_bytes(make.encoded(make.plain("white"), "PNG"))
    report, events = run(media, Brittle(), collection)
    assert (report.failed, events["white.png"].reason) == (1, "the encoder failed on it: no")
    assert run(media, encoder, collection)[0].failed_before == 1
    retry = IngestOptions(retry_failed=True)
    report, _ = run(media, Brittle(), collection, retry)
    assert (report.failed, report.failed_before) == (1, 0)
    assert next(collection.ledger.rows()).attempts == 2
    assert run(media, encoder, collection, retry)[0].done == 1


def test_other_video_options_redo_videos_alone(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 2)
    make.save_video(media / "v.mp4", make.frames(["red"], each=60))
    run(media, encoder, collection)
    options = IngestOptions(video=VideoOptions(segment_seconds=2))
    report, events = run(media, encoder, collection, options)
    assert (report.unchanged, list(events), collection.count()) == (2, ["v.mp4"], 5)


def test_duplicates_are_noted_and_both_searchable(media: Path, collection: LocalCollection) -> None:
    first = make.save_pictures(media, 1)[0]
    shutil.copy(first, media / "copy.jpg")
    _, events = run(media, FakeEncoder(), collection)
    notes = sorted(event.reason for event in events.values())
    assert notes[0] == ""
    assert notes[1].startswith(f"same content as {media.as_uri()}/")
    shutil.copy(first, media / "later.jpg")
    counting = Brittle()
    _, events = run(media, counting, collection)
    assert events["later.jpg"].reason.startswith("same content as ")
    assert counting.batches == []  # its vectors were there already
    records = collection.scroll(with_vectors=["default"]).records
    assert len({record.vectors["default"].tobytes() for record in records}) == 1
    assert {record.payload["name"] for record in records} == {
        "00000.jpg",
        "copy.jpg",
        "later.jpg",
    }


def test_uploads_keep_their_own_asset_and_payload(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    path = make.save_pictures(media, 1)[0].rename(media / "no-suffix")
    item = Item("upload:abc", path, {"name": "cat.jpg", "folder": "", "owner": "me"})
    *_, last = ingest([item], encoder, collection)
    assert last.done == 1
    (record,) = collection.get([point_id("upload:abc", "image")])
    assert record.asset == "upload:abc"
    assert record.payload["name"] == "cat.jpg"
    assert record.payload["owner"] == "me"


def test_the_same_asset_twice_is_one_point(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 1)
    *_, last = ingest([*walk(media), *walk(media)], encoder, collection)
    assert last.report is not None
    assert (last.report.found, last.report.done, collection.count()) == (2, 2, 1)


def test_a_batch_that_fails_is_halved_down_to_the_culprit(
    media: Path, collection: LocalCollection
) -> None:
    make.save_pictures(media, 20)
    (media / "00007a.png").write_bytes(make.encoded(make.plain("white"), "PNG"))
    encoder = Brittle()
    report, events = run(media, encoder, collection, IngestOptions(batch_size=21))
    assert (report.done, report.failed) == (20, 1)
    assert events["00007a.png"].status == "failed"
    assert max(encoder.batches) > 1


@pytest.mark.parametrize(("error", "stops"), [(RuntimeError, True), (InvalidInput, False)])
def test_an_encoder_that_fails_on_everything_ends_the_job(
    media: Path, collection: LocalCollection, error: type[Exception], stops: bool
) -> None:
    make.save_pictures(media, 40)
    encoder = Brittle(error, at=0)
    if stops:
        with pytest.raises(EncodingStopped, match="fails on everything"):
            run(media, encoder, collection)
        assert collection.count() == 0
    else:
        assert run(media, encoder, collection)[0].failed == 40


def test_batches_are_as_large_as_the_encoder_likes(
    media: Path, collection: LocalCollection
) -> None:
    class Preferring(Brittle):
        info = replace(FakeEncoder.info, batch_size=7)

    make.save_pictures(media, 40)
    encoder = Preferring()
    assert run(media, encoder, collection)[0].done == 40
    assert max(encoder.batches) == 7


def test_one_bad_vector_fails_its_file_alone(media: Path, collection: LocalCollection) -> None:
    class Poisoned(FakeEncoder):
        def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
            rows = super().encode_pixels(pixels, normalize=normalize)["default"]
            rows[[(image >= 255).all() for image in pixels]] = np.nan
            return {"default": rows}

    make.save_pictures(media, 10)
    (media / "white.png").write_bytes(make.encoded(make.plain("white"), "PNG"))
    report, events = run(media, Poisoned(), collection)
    assert (report.done, report.failed) == (10, 1)
    assert events["white.png"].status == "failed"
    assert collection.count() == 10


def test_a_renamed_video_keeps_its_vectors(media: Path, collection: LocalCollection) -> None:
    film = make.save_video(media / "film.mp4", make.frames(["red", "blue"], each=40), fps=10)
    run(media, FakeEncoder(), collection)
    before = collection.scroll(with_vectors=["default"]).records
    moved = film.rename(media / "renamed.mp4").as_uri()
    counting = Brittle()
    report, _ = run(media, counting, collection)
    assert (report.done, counting.batches) == (1, [])
    records = collection.scroll(with_vectors=["default"]).records
    after = [one for one in records if one.asset == moved]
    assert len(before) == len(after) == 3

    def told(records: list[Record]) -> list[tuple[object, ...]]:
        names = ("kind", "start", "end", "frame", "duration", "codec", "phash")
        return sorted(
            (*(one.payload[name] for name in names), one.vectors["default"].tobytes())
            for one in records
        )

    assert told(after) == told(before)


def test_another_encoder_is_refused_at_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "other")
    other = store.create("a", Schema({"default": 48}, "x", {"image": "something else"}))
    sizes = store.create("b", Schema({"default": 32}))
    with pytest.raises(EncoderMismatch, match="collection a"):
        ingest([], FakeEncoder(), other)
    with pytest.raises(EncoderMismatch, match="collection b"):
        ingest([], FakeEncoder(), sizes)
    other.close()
    sizes.close()


def test_an_encoder_of_texts_alone_is_refused(collection: LocalCollection) -> None:
    class TextOnly(FakeEncoder):
        info = EncoderInfo(
            "fake", "", {"default": 48}, frozenset({"text"}), FakeEncoder.info.fingerprint
        )

    with pytest.raises(IngestError, match="without its image tower"):
        ingest([], TextOnly(), collection)


def test_closing_early_stops_the_threads_and_keeps_what_was_told(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    class Slow(FakeEncoder):
        def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
            time.sleep(0.02)
            return super().encode_pixels(pixels, normalize=normalize)

    make.save_pictures(media, 300)
    before = threading.active_count()
    progress = ingest(walk(media), Slow(), collection, IngestOptions(batch_size=4))
    told = next(snapshot.event for snapshot in progress if snapshot.event)
    assert threading.active_count() > before
    progress.close()
    assert threading.active_count() == before
    assert collection.ledger.get([told.asset])[told.asset].status == "done"
    assert collection.count() == collection.ledger.counts()["done"] < 300
    report, _ = run(media, encoder, collection)
    assert report.found == 300
    assert collection.count() == 300


def test_a_source_that_breaks_ends_the_job_with_its_error(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 3)

    def items() -> Iterator[Item]:
        yield from walk(media)
        raise OSError("the share is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="share is gone"):
        list(ingest(items(), encoder, collection))
    assert threading.active_count() == before


def test_a_small_window_only_slows_it_down(
    media: Path, encoder: FakeEncoder, collection: LocalCollection
) -> None:
    make.save_pictures(media, 20)
    make.save_video(media / "v.mp4", make.frames(["red", "blue"], each=60))
    options = IngestOptions(window_bytes=1, batch_size=3, workers=4)
    report, _ = run(media, encoder, collection, options)
    assert (report.done, collection.count()) == (21, 23)
