import numpy as np
import pytest

from ingestion import VideoOptions
from ingestion.container import Clock, Times
from ingestion.messages import WHOLE
from ingestion.segments import Gate, Sample, Span, samples, spans, uniform
from ingestion.timeline import Timeline
from tests import media

OPTIONS = VideoOptions()


def timeline(times: Times, duration: float) -> Timeline:
    return Timeline(times, duration, duration, Clock(), exact=True, regular=True)


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (80, 8, [5, 15, 25, 35, 45, 55, 65, 75]),
        (83, 8, [5, 16, 27, 38, 49, 60, 71, 82]),
        (15, 8, [1, 3, 5, 7, 9, 11, 13, 14]),
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (3, 8, [0, 1, 2]),
        (1, 8, [0]),
    ],
)
def test_uniform_frames_lie_in_the_middle_of_their_intervals(
    total: int, count: int, expected: list[int]
) -> None:
    assert uniform(total, count) == expected


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0.1, [(0, 0.1)]),
        (4.0, [(0, 4)]),
        (5.9, [(0, 5.9)]),
        (6.0, [(0, 4), (4, 6)]),
        (12.5, [(0, 4), (4, 8), (8, 12.5)]),
    ],
)
def test_segments_cover_the_video(duration: float, expected: list[tuple[float, float]]) -> None:
    frames = np.arange(0, duration, 0.1)
    assert spans(timeline(frames, duration), OPTIONS) == [Span(*pair) for pair in expected]


def test_segments_end_where_the_camera_cuts() -> None:
    shown = timeline(np.arange(0, 12, 0.1), 12.0)
    found = spans(shown, OPTIONS, [1.5, 9.0])
    assert found == [Span(0, 1.5), Span(1.5, 5.5), Span(5.5, 9.0), Span(9.0, 12.0)]


def test_segments_are_keyed_by_their_start_in_milliseconds() -> None:
    assert Span(2.5, 5.0).key == ("segment", 2500)


def test_each_segment_samples_the_frames_on_screen_in_it() -> None:
    times = np.arange(120) / 10
    shown, options = timeline(times, 12.0), VideoOptions(frames=2)
    wanted = samples(shown, spans(shown, options), options)
    of_second = [sample.time for sample in wanted if ("segment", 4000) in sample.pools]
    assert of_second == [4.5, 5.5, 6.5, 7.5]
    assert [sample.time for sample in wanted if WHOLE in sample.pools] == [3.0, 9.0]
    assert [sample.time for sample in wanted] == sorted({sample.time for sample in wanted})


def test_segments_without_a_new_frame_are_left_out() -> None:
    slides = timeline(np.array([0.0, 1.0, 9.0, 1e9]), 1e9 + 1)
    assert [span.start for span in spans(slides, OPTIONS)] == [0, 8, 999_999_996]


def test_a_frame_held_for_long_is_on_screen_where_the_next_one_comes() -> None:
    shown = timeline(np.array([0.0, 1.0, 7.0]), 8.0)
    wanted = samples(shown, spans(shown, OPTIONS), OPTIONS)
    held = next(sample for sample in wanted if sample.time == 1.0)
    assert set(held.pools) == {WHOLE, ("segment", 0), ("segment", 4000)}


def test_black_frames_are_part_of_nothing() -> None:
    sample = Sample(0.0, (WHOLE, ("segment", 0)))
    black, red = media.frames(["black", "red"], each=1)
    gate = Gate()
    assert gate.admit(sample, 0.0, black) == ()
    assert gate.admit(sample, 0.1, red) == sample.pools
    assert {key: seen.frame for key, seen in gate.middles().items()} == {
        WHOLE: 0.1,
        ("segment", 0): 0.1,
    }


def test_a_repeated_frame_counts_once_in_its_segment_and_always_in_the_whole() -> None:
    first, second = Sample(0.0, (WHOLE, ("segment", 0))), Sample(5.0, (("segment", 4000),))
    red, other = media.frames(["red"], each=2)
    gate = Gate()
    assert gate.admit(first, 0.0, red) == first.pools
    assert gate.admit(first, 1.0, red) == (WHOLE,)
    assert gate.admit(first, 2.0, other) == first.pools
    assert gate.admit(second, 5.0, other) == second.pools
