import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from encoders.fake import FakeEncoder
from ingestion import Item
from ingestion.encoding import Encoded, EncodeStage, Message, Staged
from ingestion.jobs import Frame, Job, Outcome
from ingestion.messages import PoolKey
from ingestion.pipes import Pipe, Window
from ingestion.progress import Meter
from tests import media

IMAGE: PoolKey = ("image", 0)


@contextmanager
def running(batch_size: int) -> Iterator[tuple[Pipe[Message], Pipe[Encoded | Staged]]]:
    """The pipes of a stage at work, whose source is not finished."""
    source: Pipe[Message] = Pipe(1000)
    target: Pipe[Encoded | Staged] = Pipe(1000)
    stage = EncodeStage(
        FakeEncoder(), ["default"], batch_size, Window(1 << 20), source, target, Meter()
    )
    thread = threading.Thread(target=stage.run)
    thread.start()
    yield source, target
    source.finish()
    thread.join()


def taken(target: Pipe[Encoded | Staged]) -> Encoded:
    one = target.get()
    assert isinstance(one, Encoded)
    return one


def job(name: str) -> Job:
    return Job(Item(f"test:{name}", Path(name)))


def frame(of: Job, colour: str, *pools: PoolKey) -> Frame:
    return Frame(of, FakeEncoder().preprocess(media.plain(colour)), pools, 0)


def test_outcomes_without_frames_do_not_wait_for_any() -> None:
    with running(batch_size=32) as (source, target):
        for number in range(100):
            source.put(Outcome(job(str(number)), "failed", "why not"))
        given = [taken(target).outcome.job.item.asset for _ in range(100)]
    assert given == [f"test:{number}" for number in range(100)]


def test_an_incomplete_batch_goes_when_no_more_comes() -> None:
    with running(batch_size=32) as (source, target):
        one = job("one")
        source.put(frame(one, "red", IMAGE))
        source.put(Outcome(one, "done", points={IMAGE: {"a": 1}}))
        (point,) = taken(target).points
    assert point.payload == {"a": 1}
    red = FakeEncoder().encode_images([media.plain("red")])["default"][0]
    assert point.vectors["default"] == pytest.approx(red)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_frames_are_pooled_by_point_across_batches(batch_size: int) -> None:
    whole: PoolKey = ("video", 0)
    parts: list[PoolKey] = [("segment", 0), ("segment", 4000)]
    film, photo = job("film"), job("photo")
    with running(batch_size) as (source, target):
        source.put(frame(film, "red", whole, parts[0]))
        source.put(frame(photo, "lime", IMAGE))
        source.put(Outcome(photo, "done", points={IMAGE: {}}))
        source.put(frame(film, "yellow", parts[0]))
        source.put(frame(film, "blue", whole, parts[1]))
        source.put(Outcome(film, "done", points={key: {} for key in (whole, *parts)}))
        given = {one.outcome.job: one.points for one in (taken(target), taken(target))}
    rows = FakeEncoder().encode_images(
        [media.plain(colour) for colour in ("red", "yellow", "blue")], normalize=False
    )["default"]
    for point, used in zip(given[film], ([0, 2], [0, 1], [2]), strict=True):
        mean = rows[used].mean(axis=0)
        assert point.vectors["default"] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert len(given[photo]) == 1


def test_vectors_that_are_known_are_kept_bit_for_bit() -> None:
    known = FakeEncoder().encode_texts(["anything"])["default"][0]
    with running(batch_size=4) as (source, target):
        source.put(
            Outcome(job("x"), "done", points={IMAGE: {}}, vectors={IMAGE: {"default": known}})
        )
        (point,) = taken(target).points
    assert point.vectors["default"].tobytes() == known.tobytes()
