from uuid import uuid4

import pytest

from indexer import Hit
from retrieval.moments import moments, timeline


def segment(start: float, end: float, score: float) -> Hit:
    payload = {"kind": "segment", "start": start, "end": end, "frame": (start + end) / 2}
    return Hit(uuid4(), "file:///film.mp4", score, payload)


def test_adjacent_strong_segments_become_one_moment() -> None:
    weak = [segment(t, t + 4, 0.1) for t in range(20, 100, 4)]
    first, second = segment(0, 4, 0.9), segment(4, 8, 0.8)
    (moment,) = moments([*weak, second, first])
    assert (moment.start, moment.end) == (0, 8)
    assert (moment.id, moment.score, moment.frame) == (first.id, 0.9, 2)


def test_the_best_moment_comes_first_and_the_weak_are_left_out() -> None:
    film = [segment(t, t + 4, 0.1) for t in range(0, 40, 4)]
    film[2], film[7] = segment(8, 12, 0.7), segment(28, 32, 0.9)
    assert [(m.start, m.score) for m in moments(film)] == [(28, 0.9), (8, 0.7)]


def test_a_uniform_film_is_one_moment() -> None:
    (moment,) = moments([segment(t, t + 4, 0.5) for t in range(0, 40, 4)])
    assert (moment.start, moment.end) == (0, 40)


def test_a_pause_longer_than_the_gap_separates_moments() -> None:
    assert len(moments([segment(0, 4, 0.5), segment(4.6, 8, 0.5)])) == 2
    assert len(moments([segment(0, 4, 0.5), segment(4.4, 8, 0.5)])) == 1


def test_no_segments_no_moments() -> None:
    assert moments([]) == []


def test_at_most_five_moments() -> None:
    film = [segment(t, t + 4, 0.1) for t in range(0, 400, 4)]
    film[::10] = [segment(t, t + 4, 0.9) for t in range(0, 400, 40)]
    assert len(moments(film)) == 5


def test_a_moment_does_not_end_before_a_segment_that_it_holds() -> None:
    long, inside, after = segment(0, 20, 0.9), segment(4, 8, 0.9), segment(20, 24, 0.9)
    (moment,) = moments([long, inside, after, segment(40, 44, 0.1)])
    assert (moment.start, moment.end) == (0, 24)


def test_a_timeline_runs_from_beginning_to_end() -> None:
    film = [segment(t, t + 4, t / 100) for t in (8, 0, 4)]
    spans = [(span.start, span.end, span.score) for span in timeline(film)]
    assert spans == [(0, 4, 0), (4, 8, 0.04), (8, 12, 0.08)]
    assert timeline([]) == []


@pytest.mark.parametrize("count", [99, 100, 101, 250, 1000])
def test_a_long_timeline_keeps_its_peaks(count: int) -> None:
    film = [segment(t, t + 1, 0.1) for t in range(count)]
    film[count // 2] = segment(count // 2, count // 2 + 1, 0.9)
    spans = timeline(film)
    assert len(spans) <= 100
    assert (spans[0].start, spans[-1].end) == (0, count)
    assert [span.score for span in spans].count(0.9) == 1
