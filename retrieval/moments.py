"""From the segments of one video to the moments worth jumping to."""

from collections.abc import Sequence

from indexer import Hit
from retrieval.answer import Moment

GAP = 0.5  # seconds between segments that still count as adjacent
MOST = 5


def moments(segments: Sequence[Hit]) -> list[Moment]:
    """The best spans of a video, best first, at most five.

    A segment takes part when it scores above the midpoint between the mean of the video's segments
    and the best of them, which needs no absolute threshold; adjacent ones become one moment.
    """
    if not segments:
        return []
    scores = [hit.score for hit in segments]
    bar = (max(scores) + sum(scores) / len(scores)) / 2
    strong = sorted((hit for hit in segments if hit.score >= bar), key=lambda hit: _start(hit))
    spans: list[list[Hit]] = []
    for hit in strong:
        if spans and _start(hit) <= _end(spans[-1][-1]) + GAP:
            spans[-1].append(hit)
        else:
            spans.append([hit])
    return sorted(map(_moment, spans), key=lambda moment: (-moment.score, moment.start))[:MOST]


def _moment(span: Sequence[Hit]) -> Moment:
    best = max(span, key=lambda hit: hit.score)
    start, end = _start(span[0]), max(map(_end, span))
    frame = float(best.payload.get("frame", _start(best)))
    return Moment(id=best.id, start=start, end=end, frame=frame, score=best.score)


def _start(hit: Hit) -> float:
    return float(hit.payload["start"])


def _end(hit: Hit) -> float:
    return float(hit.payload["end"])
