import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import Limits, heartbeat
from ingestion.timeline import Timeline
from ingestion.video import AvReader, SparseReader
from tests import media

LIMIT, LEFT = 1000.0, 500.0  # seconds: none of them passes


@pytest.fixture
def running_out() -> Iterator[None]:
    """A limit of which half has passed."""
    heartbeat.start(LIMIT)
    signal.setitimer(signal.ITIMER_REAL, LEFT)
    yield
    heartbeat.start(0)


def left() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


@pytest.mark.usefixtures("running_out")
def test_a_beat_gives_all_the_time_again() -> None:
    assert left() <= LEFT
    heartbeat.beat()
    assert left() > LEFT


@pytest.mark.usefixtures("running_out")
@pytest.mark.parametrize("reader", [SparseReader, AvReader])
def test_a_film_may_take_longer_than_the_limit_while_frames_come(
    tmp_path: Path, reader: type[AvReader]
) -> None:
    path = media.save_video(tmp_path / "v.mp4", media.frames(["red", "green"]))
    timeline = Timeline.read(path, Limits())
    assert left() > LEFT
    signal.setitimer(signal.ITIMER_REAL, LEFT)
    next(reader(path, timeline).shots([1.5]))
    assert left() > LEFT


def test_without_a_limit_nothing_is_counted() -> None:
    heartbeat.start(0)
    heartbeat.beat()
    assert left() == 0
