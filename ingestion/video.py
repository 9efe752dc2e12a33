"""Video files to frames at given times: decord, and PyAV where decord cannot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.errors import MediaError
from ingestion.formats import HEAD_BYTES, MATROSKA, MP4, sniff
from ingestion.options import Limits

RGBFrame = NDArray[np.uint8]
Times = NDArray[np.float64]
MISSING = 0.5  # seconds: a frame this much later than asked is another one
SHORT = 1.0  # seconds that may lack of what the header promises
WELL_INDEXED = (MP4, MATROSKA)  # decord is off by some frames in MPEG-TS and FLV
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

    @property
    def times(self) -> Times:
        """When each frame is shown, in seconds since the first, ascending."""
        ...

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """The frame shown at each of `times`, ascending; those that cannot be read are left out."""
        ...


class Unreadable(Exception):
    """This reader cannot read this video; another one may."""


class Video:
    """A video file, read a frame at a time, in constant memory.

    `duration` is in seconds; `times` says when each frame is shown, since the first, in seconds.
    Raises `MediaError` where there is nothing to see.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self._path = path
        self._promised = probe(path, limits)
        self._reader = _open(path)
        self.times = self._reader.times
        gaps = np.diff(self.times)
        last = float(np.median(gaps)) if len(gaps) else max(self._promised, 0.04)
        self.duration = round(float(self.times[-1]) + last, 3)
        self._asked = self._read = 0

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """The frame shown at each of `times` (ascending); one that cannot be read is left out."""
        self._asked += len(times)
        try:
            yield from self._counted(times, 0)
        except Unreadable:
            self._reader = AvReader(self._path)
            yield from self._counted(times, self._at)

    def damage(self) -> str:
        """What is wrong with the file, as far as it was read; empty where nothing is."""
        if self._promised > self.duration + max(SHORT, 0.02 * self._promised):
            return f"cut short: {self.duration:.1f} of {self._promised:.1f} seconds can be read"
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
    image = Image.fromarray(
        _seek(path, seconds) if _is_well_indexed(path) else _scan(path, seconds)
    )
    if max_side is not None:
        image.thumbnail((max_side, max_side))
    return image


def probe(path: Path, limits: Limits = DEFAULT_LIMITS) -> float:
    """How many seconds a video's header promises, 0 where it does not say.

    Raises `MediaError` where it is no video, holds sound alone, or is too large.
    """
    with _container(path) as (container, stream):
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > limits.max_pixels:
            raise MediaError(
                f"frames of {width} x {height} pixels, "
                f"above the limit of {limits.max_pixels / 1e6:.0f} MP"
            )
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / 1e6


class DecordReader:
    """Reads through decord: fast at frames far apart. One thread at a time."""

    def __init__(self, path: Path) -> None:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self._errors = (decord.DECORDError, RuntimeError, AssertionError, UnicodeError)
        try:
            self._video = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0), num_threads=1)
            spans = self._video.get_frame_timestamp(np.arange(len(self._video)))
        except self._errors as error:
            raise Unreadable from error
        self.times: Times = spans[:, 0].astype(np.float64)
        # It makes up times where the container stores none (AVI, WMV) or the file is cut short.
        if not (np.diff(self.times) > 0).all() or self.times[0] < 0 or self.times[-1] > 1e7:
            raise Unreadable

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """See `Reader`; raises `Unreadable` at a frame it cannot decode."""
        for at, time in enumerate(times):
            index = shown_at(self.times, time)
            try:
                image = self._video[index].asnumpy()
            except self._errors as error:
                raise Unreadable from error
            yield Shot(at, float(self.times[index]), image)


class AvReader:
    """Reads through PyAV, from the beginning; steps over what is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _container(path) as (container, stream):
            self._clock, self.times = _read_clock(container, stream)
        if not len(self.times):
            raise MediaError("a video without frames")

    def shots(self, times: Sequence[float]) -> Iterator[Shot]:
        """See `Reader`."""
        wanted = [float(self.times[shown_at(self.times, time)]) for time in times]
        at = 0
        with _container(self._path) as (container, stream):
            for time, frame in _decoded(container, stream, self._clock):
                while at < len(wanted) and wanted[at] < time - MISSING:
                    at += 1
                image = None
                while at < len(wanted) and wanted[at] <= time + 1e-4:
                    image = _upright(frame) if image is None else image
                    yield Shot(at, time, image)
                    at += 1
                if at == len(wanted):
                    return


def shown_at(times: Times, time: float) -> int:
    """The index of the frame on screen at `time`."""
    return max(int(np.searchsorted(times, time + 1e-4, side="right")) - 1, 0)


def _open(path: Path) -> Reader:
    if not _is_well_indexed(path):
        return AvReader(path)
    try:
        return DecordReader(path)
    except Unreadable:
        return AvReader(path)


def _is_well_indexed(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES)) in WELL_INDEXED


def _scan(path: Path, seconds: float) -> RGBFrame:
    shot = next(AvReader(path).shots([seconds]), None)
    if shot is None:
        raise MediaError("no frame could be decoded")
    return shot.image


def _seek(path: Path, seconds: float) -> RGBFrame:
    """The frame shown at `seconds`, from the key frame before it."""
    with _container(path) as (container, stream):
        start = stream.start_time or 0
        container.seek(start + round(seconds / stream.time_base), stream=stream)
        found = None
        for time, frame in _decoded(container, stream, _Clock(float(start * stream.time_base))):
            if found is not None and time > seconds + 1e-3:
                break
            found = frame
        if found is None:
            raise MediaError("no frame could be decoded")
        return _upright(found)


@contextmanager
def _container(path: Path) -> Iterator[tuple[Any, Any]]:
    """PyAV's container and its first stream of moving pictures; its errors become `MediaError`."""
    import av

    try:
        with path.open("rb") as file, av.open(_source(path, file)) as container:
            yield container, _moving_pictures(container)
    except av.FFmpegError as error:
        raise MediaError(f"no video that can be read ({error.strerror})") from error


def _source(path: Path, file: Any) -> Any:  # noqa: ANN401 - as PyAV has it
    """The path, or the open file where its name is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return file
    return str(path.absolute())


def _moving_pictures(container: Any) -> Any:  # noqa: ANN401
    for stream in container.streams.video:
        if stream.codec_context is None:
            raise MediaError("a video coding that this FFmpeg cannot decode")
        if not stream.disposition & stream.disposition.attached_pic:
            stream.codec_context.thread_count = 1
            return stream
    raise MediaError("no moving pictures in it, sound alone")


@dataclass(frozen=True)
class _Clock:
    """How to tell a frame's time: its stamp, less `start`; or by counting, at `rate` a second.

    Counting is for containers that stamp none or few of their frames (AVI, WMV, MPEG-PS).
    """

    start: float = 0.0
    rate: float | None = None

    def time(self, number: int, frame: Any) -> float | None:  # noqa: ANN401
        if self.rate is not None:
            return number / self.rate
        return None if frame.pts is None else float(frame.pts * frame.time_base) - self.start


def _read_clock(container: Any, stream: Any) -> tuple[_Clock, Times]:  # noqa: ANN401
    """The clock, and the time of each frame, without decoding any."""
    import av

    stamps: list[int | None] = []
    with suppress(av.FFmpegError):  # cut short: what came before is what there is
        stamps.extend(packet.pts for packet in container.demux(stream) if packet.size)
    if container.format.name == "avi" or None in stamps:
        rate = float(stream.guessed_rate or 25)
        return _Clock(rate=rate), np.arange(len(stamps)) / rate
    times = np.unique(np.asarray(stamps, dtype=np.float64)) * float(stream.time_base)
    return (_Clock(float(times[0])), times - times[0]) if len(times) else (_Clock(), times)


def _decoded(container: Any, stream: Any, clock: _Clock) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
    """Each frame that can be decoded and its time, in the order shown."""
    import av

    packets = container.demux(stream)
    number = 0
    while True:
        try:
            packet = next(packets, None)
            frames = [] if packet is None else packet.decode()
        except av.error.InvalidDataError:
            continue
        except av.FFmpegError:
            return
        if packet is None:
            return
        for frame in frames:
            time = clock.time(number, frame)
            number += 1
            if time is not None:
                yield time, frame


def _upright(frame: Any) -> RGBFrame:  # noqa: ANN401
    image: RGBFrame = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
