"""From the segments of one video to the moments worth jumping to, and its timeline."""

from collections.abc import Sequence

from indexer import Hit
from retrieval.answer import Moment, Span

GAP = 0.5  # seconds between segments that still count as adjacent
MOST = 5
SPANS = 100


def moments(segments: Sequence[Hit]) -> list[Moment]:
    """The best spans of a video, best first, at most five.

    A segment takes part when it scores above the midpoint between the mean of the video's segments
    and the best of them, which needs no absolute threshold; adjacent ones become one moment. Its
    score is that of its best segment: a mean would make a moment worse for lasting longer.
    """
    if not segments:
        return []
    scores = [hit.score for hit in segments]
    bar = (max(scores) + sum(scores) / len(scores)) / 2
    strong = sorted((hit for hit in segments if hit.score >= bar), key=_start)
    spans: list[list[Hit]] = []
    for hit in strong:
        if spans and _start(hit) <= max(map(_end, spans[-1])) + GAP:
            spans[-1].append(hit)
        else:
            spans.append([hit])
    return sorted(map(_moment, spans), key=lambda moment: (-moment.score, moment.start))[:MOST]


def timeline(segments: Sequence[Hit]) -> list[Span]:
    """The scores of a video from beginning to end, in at most a hundred spans.

    Of a longer video neighbouring segments share a span, which has the score of the best of them.
    """
    ordered = sorted(segments, key=lambda hit: (_start(hit), _end(hit)))
    step = -(-len(ordered) // SPANS)
    return [_span(ordered[i : i + step]) for i in range(0, len(ordered), max(1, step))]


def _moment(span: Sequence[Hit]) -> Moment:
    best = max(span, key=lambda hit: hit.score)
    start, end = _start(span[0]), max(map(_end, span))
    frame = float(best.payload.get("frame", _start(best)))
    return Moment(id=best.id, start=start, end=end, frame=frame, score=best.score)


def _span(segments: Sequence[Hit]) -> Span:
    score = max(hit.score for hit in segments)
    return Span(_start(segments[0]), max(map(_end, segments)), score)


def _start(hit: Hit) -> float:
    return float(hit.payload["start"])


def _end(hit: Hit) -> float:
    return float(hit.payload["end"])
