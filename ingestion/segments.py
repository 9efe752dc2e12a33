"""Which frames of a video make which point, and what each point says."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.container import RGBFrame
from ingestion.errors import MediaError
from ingestion.formats import Format
from ingestion.messages import WHOLE, Finished, PoolKey
from ingestion.options import Limits, VideoOptions
from ingestion.phash import SIDE, hash_of, thumbnail
from ingestion.shots import cuts
from ingestion.timeline import Timeline
from ingestion.video import Video

BLACK = 24  # of 255: no part of a black frame is brighter
PART = 32  # segments: those of a few minutes
ALIKE = 1.0  # of 255: mean difference under which a frame repeats another


class Clip:
    """A video on its way to points: a streamed reading, in constant memory."""

    def __init__(
        self,
        path: Path,
        format_: Format,
        limits: Limits,
        options: VideoOptions,
        finished: Finished = MappingProxyType({}),
    ) -> None:
        """`finished` segments are not read again, but described as they were in `part`.

        Raises `MediaError` where there is nothing to see.
        """
        self._video = Video(path, limits, keyframes=options.keyframes)
        timeline = self._video.timeline
        self._spans = spans(timeline, options, cuts(path, timeline) if options.shots else [])
        self._options = options
        self._finished = finished
        self._gate = Gate()
        self._over: list[PoolKey] = []
        self._format = format_.name
        self._size = (0, 0)

    def frames(self) -> Iterator[tuple[RGBFrame, tuple[PoolKey, ...]]]:
        """The frames worth encoding, in order, and the points that each is part of."""
        remaining = [span for span in self._spans if span.key not in self._finished]
        wanted = samples(self._video.timeline, remaining, self._options)
        ends = _ends(wanted)
        for shot in self._video.shots([sample.time for sample in wanted]):
            self._size = shot.image.shape[:2]
            pools = self._gate.admit(wanted[shot.at], shot.time, shot.image)
            if pools:
                yield shot.image, pools
            while ends and ends[0][0] <= shot.at:
                self._over.append(ends.popleft()[1])

    def part(self) -> dict[PoolKey, dict[str, Any]]:
        """What there is to say of segments that have had all their frames, each once.

        Nothing most of the time: they come by the dozen, so that short videos are left whole.
        """
        if len(self._over) < PART:
            return {}
        shown = self._gate.middles()
        over, self._over = [key for key in self._over if key in shown], []
        starts = {span.key: span.start for span in self._spans}
        return {key: {"start": starts[key]} | asdict(shown[key]) for key in over}

    def points(self) -> dict[PoolKey, dict[str, Any]]:
        """What each point says, once all frames were read; raises `MediaError` if there is none.

        `start`, `end`, `frame` (when its picture is shown) and `duration` are in seconds; `phash`
        is of that picture.
        """
        duration = self._video.timeline.duration
        shown = {key: asdict(seen) for key, seen in self._gate.middles().items()} | {
            key: {"frame": said["frame"], "phash": said["phash"]}
            for key, said in self._finished.items()
        }
        if not shown:
            raise MediaError(self.damage() or "every frame is black")
        height, width = self._size
        file = {"format": self._format, "width": width, "height": height, "duration": duration}
        file |= self._video.timeline.facts
        return {
            key: file | {"start": span.start, "end": span.end} | shown[key]
            for key, span in self._parts().items()
            if key in shown
        }

    def all_keys(self) -> Iterable[PoolKey]:
        """All points there can be, those included that black frames leave out."""
        return self._parts().keys()

    def damage(self) -> str:
        """What is wrong with the file, as far as it was read; empty where nothing is."""
        return self._video.damage()

    def _parts(self) -> "dict[PoolKey, Span]":
        whole = Span(0.0, self._video.timeline.duration)
        return {WHOLE: whole} | {span.key: span for span in self._spans}


@dataclass(frozen=True)
class Span:
    """A segment, [start, end] in seconds."""

    start: float
    end: float

    @property
    def key(self) -> PoolKey:
        return ("segment", round(self.start * 1000))


@dataclass(frozen=True)
class Sample:
    """A frame to read, by its time, and the points it is part of."""

    time: float
    pools: tuple[PoolKey, ...]


def spans(timeline: Timeline, options: VideoOptions, cuts: Sequence[float] = ()) -> list[Span]:
    """Segments of `options.segment_seconds`, each shot between `cuts` by itself.

    A rest shorter than half a segment joins the last. Those in which no new frame is shown are left
    out: the one before has their picture.
    """
    edges = [0.0, *cuts, timeline.duration]
    return [
        span
        for start, end in pairwise(edges)
        for span in _divided(timeline, Span(start, end), options.segment_seconds)
    ]


def _divided(timeline: Timeline, shot: Span, seconds: float) -> Iterator[Span]:
    last = max(int((shot.end - shot.start) / seconds + 0.5) - 1, 0)
    first, end = np.searchsorted(timeline.times, (shot.start, shot.end))
    numbers = np.minimum((timeline.times[first:end] - shot.start) // seconds, last)
    for at in np.unique(numbers).astype(int).tolist():
        start = shot.start + at * seconds
        yield Span(start, shot.end if at == last else start + seconds)


def samples(timeline: Timeline, segments: Sequence[Span], options: VideoOptions) -> list[Sample]:
    """The frames to read for the whole video and for these segments, in the order shown."""
    pools: dict[int, list[PoolKey]] = defaultdict(list)
    for index in uniform(len(timeline.times), options.frames):
        pools[index].append(WHOLE)
    for span in segments:
        step = (span.end - span.start) / options.segment_frames
        middles = (span.start + (at + 0.5) * step for at in range(options.segment_frames))
        for index in sorted({timeline.shown_at(middle) for middle in middles}):
            pools[index].append(span.key)
    return [Sample(float(timeline.times[index]), tuple(pools[index])) for index in sorted(pools)]


def _ends(wanted: Sequence[Sample]) -> deque[tuple[int, PoolKey]]:
    """For each segment the position of its last sample, in order."""
    last = {key: at for at, sample in enumerate(wanted) for key in sample.pools if key != WHOLE}
    return deque(sorted((at, key) for key, at in last.items()))


def uniform(total: int, count: int) -> list[int]:
    """At most `count` frames of `total`: the middles of equal intervals, as InternVL samples.

    The public text-to-video script fails where an index lies past the end or the intervals run out
    before `count`; here the last frame is taken, or there are fewer.
    """
    interval = math.ceil(total / count)
    return [min(start + interval // 2, total - 1) for start in range(0, total, interval)]


@dataclass(frozen=True)
class Seen:
    """A frame let through: when it is shown, in seconds, and its perceptual hash."""

    frame: float
    phash: str


@dataclass
class Gate:
    """Lets through the frames worth encoding, and remembers when they were.

    Black frames go nowhere; one that repeats the one before it in its segment does not count there
    twice. The whole video keeps its uniform frames, black ones aside, as published.
    """

    _seen: dict[PoolKey, list["Seen"]] = field(default_factory=lambda: defaultdict(list))
    _last: tuple[PoolKey, NDArray[np.int16]] = (WHOLE, np.zeros((SIDE, SIDE), dtype=np.int16))

    def admit(self, sample: Sample, time: float, image: RGBFrame) -> tuple[PoolKey, ...]:
        """The points that a frame is to be part of."""
        small = thumbnail(Image.fromarray(image))
        if small.max() <= BLACK:
            return ()
        seen = Seen(time, hash_of(small))
        admitted = tuple(key for key in sample.pools if self._is_new(key, small))
        for key in admitted:
            self._seen[key].append(seen)
        return admitted

    def middles(self) -> Mapping[PoolKey, "Seen"]:
        """For each point, the frame that stands for it: the middle one of its own."""
        return {key: seen[len(seen) // 2] for key, seen in self._seen.items()}

    def _is_new(self, key: PoolKey, small: NDArray[np.int16]) -> bool:
        if key == WHOLE:
            return True
        segment, last = self._last
        if segment == key and np.abs(small - last).mean() < ALIKE:
            return False
        self._last = (key, small)
        return True
