"""Long videos, interrupted: what was finished is not done again."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from encoders import Pixels, Vectors
from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore
from ingestion import IngestOptions, VideoOptions, ingest, walk
from ingestion.options import Limits
from ingestion.timeline import Timeline
from tests import media as make
from tests.ingestion.conftest import schema_of
from tests.ingestion.test_pipeline import everything, run

SEGMENTS = 80
OPTIONS = IngestOptions(
    batch_size=4, workers=1, video=VideoOptions(segment_seconds=0.5, segment_frames=2)
)
FRAMES = 5 * SEGMENTS  # ten a second
SIZES = {"small": (64, 48), "large": (640, 480)}
CASES = [("small", ".mp4"), ("large", ".mp4"), ("small", ".ts")]


class Counting(FakeEncoder):
    """Counts what it encodes; all but stops after so many."""

    def __init__(self, most: int = 10_000) -> None:
        self.most, self.count = most, 0

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        time.sleep(0.5 if self.count > self.most else 0)
        self.count += len(pixels)
        return super().encode_pixels(pixels, normalize=normalize)


def save_long_video(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
    """Every frame another colour, the third segment black."""
    colours = np.random.default_rng(seed).integers(60, 256, (FRAMES, 3), dtype=np.uint8)
    colours[10:15] = 0
    shots = [np.tile(colour, (size[1], size[0], 1)) for colour in colours]
    return make.save_video(path, shots, fps=10, gop=20, options={"preset": "ultrafast"})


def interrupt(media: Path, collection: LocalCollection, asset: str) -> None:
    """Ingest until points are staged, and stop."""
    progress = ingest(walk(media), Counting(most=80), collection, OPTIONS)
    for _ in progress:
        if collection.staged(asset):
            break
    progress.close()


@pytest.fixture(params=CASES, ids="".join)
def video(request: pytest.FixtureRequest, media: Path) -> Path:
    """Read through decord, through PyAV with seeking, and through PyAV without."""
    size, suffix = request.param
    path = save_long_video(media / f"v{suffix}", SIZES[size])
    timeline = Timeline.read(path, Limits())
    assert (timeline.exact, timeline.regular) == (suffix == ".mp4", (size, suffix) == CASES[0])
    return path


def test_finished_segments_of_an_interrupted_video_are_kept(
    video: Path, collection: LocalCollection, tmp_path: Path
) -> None:
    media, asset = video.parent, video.as_uri()
    reference = LocalStore(tmp_path / "whole").create("photos", schema_of(FakeEncoder()))
    whole = Counting()
    run(media, whole, reference, OPTIONS)
    interrupt(media, collection, asset)
    kept = len(collection.staged(asset))
    assert collection.count() == 0
    rest = Counting()
    report, _ = run(media, rest, collection, OPTIONS)
    assert report.points == SEGMENTS  # one is black, and one the whole
    assert everything(collection) == everything(reference)
    assert rest.count <= whole.count - 2 * kept + OPTIONS.video.frames
    assert collection.staged(asset) == []
    assert collection.verify() > 0
    reference.close()


def test_what_was_staged_of_another_content_or_by_other_options_is_not_used(
    media: Path, collection: LocalCollection
) -> None:
    path = save_long_video(media / "v.mp4")
    interrupt(media, collection, path.as_uri())
    save_long_video(path, seed=1)
    fresh = Counting()
    run(media, fresh, collection, OPTIONS)
    assert fresh.count >= 2 * (SEGMENTS - 1)
    assert collection.staged(path.as_uri()) == []
    path.rename(media / "w.mp4")
    interrupt(media, collection, (media / "w.mp4").as_uri())
    others = IngestOptions(video=VideoOptions(segment_seconds=0.5, segment_frames=3))
    again = Counting()
    run(media, again, collection, others)
    assert again.count >= 3 * (SEGMENTS - 1)
