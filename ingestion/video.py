"""Read video frames at given times, with decord or, where decord cannot, PyAV."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ingestion.container import (
    EXACT,
    Clock,
    RGBFrame,
    decoded_from,
    decoded_only,
    opened,
    upright,
)
from ingestion.errors import MediaError
from ingestion.options import Limits
from ingestion.timeline import Timeline, is_well_indexed

MISSING = 0.5  # seconds: a frame this much later than asked is another one
SHORT = 1.0  # seconds that may lack of what the header promises
JUMP = 15.0  # seconds between frames wanted that are worth a seek: some groups of pictures
DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Shot:
    """A frame: `time` in seconds since the first, `image` RGB uint8 `[height, width, 3]`, upright.

    `at` is the position, among the times asked for, of the one it answers.
    """

    at: int
    time: float
    image: RGBFrame


class Reader(Protocol):
    """Frames of one open video."""

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """The frame shown at each of `times`, ascending; those that cannot be read are left out."""
        ...


class Unreadable(Exception):
    """This reader cannot read this video; another one may."""


class Video:
    """A video file, read a frame at a time, in constant memory.

    Raises `MediaError` where there is nothing to see.
    """

    def __init__(
        self, path: Path, limits: Limits = DEFAULT_LIMITS, *, keyframes: bool = False
    ) -> None:
        """With `keyframes`, no other frames are looked at, where the container tells them apart."""
        self._path = path
        self.timeline = Timeline.read(path, limits, keyframes=keyframes)
        self._reader = _reader(path, self.timeline)
        self._asked = self._read = 0

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """The frame shown at each of `times` (ascending); one that cannot be read is left out."""
        self._asked += len(times)
        try:
            yield from self._counted(times, 0)
        except Unreadable:
            self._reader = AvReader(self._path, self.timeline)
            yield from self._counted(times, self._at)

    def damage(self) -> str:
        """What is wrong with the file, as far as it was read; empty where nothing is."""
        promised, duration = self.timeline.promised, self.timeline.duration
        if promised > duration + max(SHORT, 0.02 * promised):
            return f"cut short: {duration:.1f} of {promised:.1f} seconds can be read"
        if self._read < self._asked:
            return f"damaged: {self._asked - self._read} of {self._asked} frames cannot be read"
        return ""

    def _counted(self, times: Sequence[float], first: int) -> Iterator[Shot]:
        self._at = first
        for shot in self._reader.shots(times[first:]):
            self._at = first + shot.at + 1
            self._read += 1
            yield Shot(first + shot.at, round(shot.time, 3), shot.image)


def read_frame(path: Path, seconds: float, max_side: int | None = None) -> Image.Image:
    """The frame shown at `seconds` since the first: RGB, upright, no side above `max_side` pixels.

    Past the end it is the last one. Raises `MediaError`.
    """
    try:
        frame = _seek(path, seconds) if is_well_indexed(path) else None
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    image = Image.fromarray(_scan(path, seconds) if frame is None else upright(frame))
    if max_side is not None:
        image.thumbnail((max_side, max_side))
    return image


class DecordReader:
    """Reads through decord: fast at frames far apart. One thread at a time.

    It finds frames by number, so the timeline must be regular.
    """

    def __init__(self, path: Path, timeline: Timeline) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._errors = (decord.DECORDError, RuntimeError, AssertionError, UnicodeError)
        self._timeline = timeline
        try:
            self._video = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0), num_threads=1)
        except self._errors as error:
            raise Unreadable from error
        if len(self._video) != len(timeline.times):
            raise Unreadable

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """See `Reader`; raises `Unreadable` at a frame it cannot decode."""
        for at, time in enumerate(times):
            number = self._timeline.shown_at(time)
            try:
                image = self._video[number].asnumpy()
            except self._errors as error:
                raise Unreadable from error
            if image.shape[2] != 3:  # of some small widths, 96 say, it takes padding for pixels
                raise Unreadable
            yield Shot(at, float(self._timeline.times[number]), image)


class SparseReader:
    """Reads through PyAV, and decodes little but the frames wanted: see `decoded_only`.

    Where the timeline is not exact, it decodes from the first key frame on. What it reads is what
    `AvReader` does.
    """

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path = path
        self._timeline = timeline

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """See `Reader`; raises `Unreadable` at a frame that does not come as it should."""
        import av

        timeline, done = self._timeline, 0
        keys = timeline.keys if timeline.exact else timeline.keys[:1]
        gap = JUMP if timeline.exact else math.inf
        wanted = [float(timeline.times[timeline.shown_at(time)]) for time in times]
        with opened(self._path) as video:
            try:
                for start, end in _runs(wanted, gap):
                    part, far = wanted[start:end], wanted[start] > gap
                    frames = decoded_only(video, timeline.clock, part, keys, seeks=far)
                    for shot in _matching(frames, wanted, start, end):
                        if shot.at != done or shot.time > wanted[done] + EXACT:
                            raise Unreadable
                        done += 1
                        yield shot
            except av.FFmpegError as error:
                raise Unreadable from error
        if done < len(wanted):
            raise Unreadable


class AvReader:
    """Reads through PyAV, in one go but for gaps worth a jump; steps over what is damaged."""

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path = path
        self._timeline = timeline

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """See `Reader`."""
        timeline = self._timeline
        wanted = [float(timeline.times[timeline.shown_at(time)]) for time in times]
        with opened(self._path) as video:
            if timeline.keyframes:
                video[1].codec_context.skip_frame = "NONKEY"
            for start, end in _runs(wanted, JUMP if timeline.exact else math.inf):
                far = timeline.exact and wanted[start] > JUMP
                frames = decoded_from(video, timeline.clock, wanted[start] if far else 0.0)
                yield from _matching(frames, wanted, start, end)


def _runs(times: Sequence[float], gap: float) -> Iterator[tuple[int, int]]:
    """Where to begin and end reading in one go: [start, end) of times no more than `gap` apart."""
    start, before = 0, 0.0
    for at, time in enumerate(times):
        if time - before > gap and at > start:
            yield start, at
            start = at
        before = time
    if times:
        yield start, len(times)


def _matching(
    frames: Iterator[tuple[float, Any]], wanted: Sequence[float], at: int, end: int
) -> Iterator[Shot]:
    """Of frames in the order shown those of the times [at, end), as far as they are there."""
    for time, frame in frames:
        while at < end and wanted[at] < time - MISSING:
            at += 1
        image = None
        while at < end and wanted[at] <= time + EXACT:
            image = upright(frame) if image is None else image
            yield Shot(at, time, image)
            at += 1
        if at == end:
            return


def _reader(path: Path, timeline: Timeline) -> Reader:
    if timeline.regular:
        with suppress(Unreadable):
            return DecordReader(path, timeline)
    is_stamped = timeline.clock.rate is None and len(timeline.keys)
    return SparseReader(path, timeline) if is_stamped else AvReader(path, timeline)


def _seek(path: Path, seconds: float) -> Any:  # noqa: ANN401
    """PyAV's frame shown at `seconds`, from the key frame before it; None where there is none."""
    with opened(path) as video:
        clock = Clock(float((video[1].start_time or 0) * video[1].time_base))
        time, frame = _last_until(decoded_from(video, clock, seconds), seconds)
        return frame if time <= seconds + EXACT else None


def _last_until(frames: Iterator[tuple[float, Any]], seconds: float) -> tuple[float, Any]:
    last = (np.inf, None)
    for time, frame in frames:
        if last[1] is not None and time > seconds + EXACT:
            break
        last = (time, frame)
    return last


def _scan(path: Path, seconds: float) -> RGBFrame:
    """The frame shown at `seconds`, found from the beginning."""
    shot = next(AvReader(path, Timeline.read(path, DEFAULT_LIMITS)).shots([seconds]), None)
    if shot is None:
        raise MediaError("no frame could be decoded")
    return shot.image
