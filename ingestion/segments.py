"""Which frames of a video make which point, and what each point says."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.container import RGBFrame
from ingestion.errors import MediaError
from ingestion.formats import Format
from ingestion.messages import WHOLE, PoolKey
from ingestion.options import Limits, VideoOptions
from ingestion.phash import SIDE, hash_of, thumbnail
from ingestion.timeline import Timeline
from ingestion.video import Video

BLACK = 24  # of 255: no part of a black frame is brighter
ALIKE = 1.0  # of 255: mean difference under which a frame repeats another


class Clip:
    """A video on its way to points: a streamed reading, in constant memory."""

    def __init__(self, path: Path, format_: Format, limits: Limits, options: VideoOptions) -> None:
        """Raises `MediaError` where there is nothing to see."""
        self._video = Video(path, limits)
        self._options = options
        self._gate = Gate()
        self._format = format_.name
        self._size = (0, 0)

    def frames(self) -> Iterator[tuple[RGBFrame, tuple[PoolKey, ...]]]:
        """The frames worth encoding, in order, and the points that each is part of."""
        wanted = samples(self._video.timeline, self._options)
        for shot in self._video.shots([sample.time for sample in wanted]):
            self._size = shot.image.shape[:2]
            pools = self._gate.admit(wanted[shot.at], shot.time, shot.image)
            if pools:
                yield shot.image, pools

    def points(self) -> dict[PoolKey, dict[str, Any]]:
        """What each point says, once all frames were read; raises `MediaError` if there is none.

        `start`, `end`, `frame` (when its picture is shown) and `duration` are in seconds; `phash`
        is of that picture.
        """
        shown = self._gate.middles()
        duration = self._video.timeline.duration
        if not shown:
            raise MediaError(self.damage() or "every frame is black")
        height, width = self._size
        file = {"format": self._format, "width": width, "height": height, "duration": duration}
        return {
            key: file | {"start": span.start, "end": span.end} | asdict(shown[key])
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
        duration = self._video.timeline.duration
        segments = spans(self._video.timeline, self._options.segment_seconds)
        return {WHOLE: Span(0.0, duration)} | {span.key: span for span in segments}


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


def spans(timeline: Timeline, seconds: float) -> list[Span]:
    """Segments of `seconds`; a rest shorter than half of one joins the last.

    Those in which no new frame is shown are left out: the one before has their picture.
    """
    last = max(int(timeline.duration / seconds + 0.5) - 1, 0)
    numbers = np.unique(np.minimum(timeline.times // seconds, last)).astype(int).tolist()
    return [
        Span(at * seconds, timeline.duration if at == last else (at + 1) * seconds)
        for at in numbers
    ]


def samples(timeline: Timeline, options: VideoOptions) -> list[Sample]:
    """The frames to read of a video, in the order shown."""
    pools: dict[int, list[PoolKey]] = defaultdict(list)
    for index in uniform(len(timeline.times), options.frames):
        pools[index].append(WHOLE)
    for span in spans(timeline, options.segment_seconds):
        step = (span.end - span.start) / options.segment_frames
        middles = (span.start + (at + 0.5) * step for at in range(options.segment_frames))
        for index in sorted({timeline.shown_at(middle) for middle in middles}):
            pools[index].append(span.key)
    return [Sample(float(timeline.times[index]), tuple(pools[index])) for index in sorted(pools)]


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
