"""Opening and decoding a video file with PyAV."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.errors import MediaError
from ingestion.heartbeat import beat

EXACT = 1e-3  # seconds within which times are the same
LOOK_BACK = (0.0, 2.0, 10.0)  # seconds before a time to seek to, in turn, until it is reached

RGBFrame = NDArray[np.uint8]
Times = NDArray[np.float64]
Opened = tuple[Any, Any]
"""PyAV's container and its first stream of moving pictures."""


@dataclass(frozen=True)
class Clock:
    """How to tell a frame's time: its stamp, less `start`; or by counting, at `rate` a second.

    Counting is for containers that stamp none or few of their frames (AVI, MPEG-PS).
    """

    start: float = 0.0
    rate: float | None = None

    def time(self, number: int, frame: Any) -> float | None:  # noqa: ANN401
        """Seconds since the first frame of the `number`-th one, None where nothing tells."""
        if self.rate is not None:
            return number / self.rate
        return None if frame.pts is None else float(frame.pts * frame.time_base) - self.start

    def stamp(self, time: float, tick: Fraction) -> int:
        """The stamp of the frame at `time`, in ticks of so many seconds; the inverse of `time`."""
        return round((time + self.start) / float(tick))


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a video; errors of FFmpeg or the disk become `MediaError`."""
    import av

    try:
        with (
            path.open("rb") as file,
            av.open(_source(path, file), metadata_errors="replace") as container,
        ):
            yield container, _moving_pictures(container)
    except av.FFmpegError as error:
        raise MediaError(f"not a readable video ({error.strerror})") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    except (IndexError, ValueError) as error:  # PyAV, where a header contradicts itself
        raise MediaError(f"not a readable video ({error})") from error


def decoded(video: Opened, clock: Clock) -> Iterator[tuple[float, Any]]:
    """Each frame that can be decoded and its time in seconds, in the order shown."""
    import av

    container, stream = video
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
        beat()
        for frame in frames:
            time = clock.time(number, frame)
            number += 1
            if time is not None:
                yield time, frame


def decoded_from(video: Opened, clock: Clock, seconds: float) -> Iterator[tuple[float, Any]]:
    """As `decoded`, from a key frame shown at `seconds` or before it, where the container seeks.

    It seeks by the time of decoding, which may lead to a key frame that is shown later.
    """
    container, stream = video
    frames = decoded(video, clock)
    for look_back in (*LOOK_BACK, seconds) if clock.rate is None and seconds > 0 else ():
        target = clock.start + max(seconds - look_back, 0.0)
        container.seek(round(target / stream.time_base), stream=stream)
        frames = decoded(video, clock)
        first = list(islice(frames, 1))
        frames = chain(first, frames)
        if first and first[0][0] <= seconds + EXACT:
            break
    return frames


def decoded_only(
    video: Opened, clock: Clock, times: Sequence[float], keys: Times, *, seeks: bool
) -> Iterator[tuple[float, Any]]:
    """As `decoded`, the frames of these times alone; what cannot be decoded raises FFmpeg's error.

    Of each group of pictures, which begin at `keys` (ascending), what follows the last frame wanted
    is not decoded, nor are, where the coding tells them, frames that no other one refers to. With
    `seeks` it begins at the first group wanted. It ends at an interlaced frame.
    """
    container, stream = video
    groups: dict[int, set[int]] = defaultdict(set)
    for time, key in zip(times, keys[np.searchsorted(keys, times, "right") - 1], strict=True):
        groups[clock.stamp(key, stream.time_base)].add(clock.stamp(time, stream.time_base))
    wanted = set[int]().union(*groups.values())
    if seeks:
        container.seek(min(groups), stream=stream)
    for frame in _decoded_groups(video, groups):
        if frame.interlaced_frame:
            return  # its fields may lie in two packets, and this may be half of it
        frame.time_base = stream.time_base  # the last ones of a group come without
        shown = clock.time(0, frame)
        if frame.pts in wanted and shown is not None:
            yield shown, frame


def _decoded_groups(video: Opened, groups: dict[int, set[int]]) -> Iterator[Any]:
    """The frames awaited of each group, by the stamp of its first, and those on the way to them."""
    container, stream = video
    codec = stream.codec_context
    spare = "NONREF" if _tells_spare_frames(codec) else "DEFAULT"
    awaited: set[int] = set()
    for packet in container.demux(stream):
        beat()
        if packet.is_keyframe and packet.pts in groups:
            awaited = groups.pop(packet.pts)
        if awaited:
            codec.skip_frame = "DEFAULT" if packet.pts in awaited else spare
            yield from codec.decode(packet)
            awaited.discard(packet.pts)
            if not awaited:
                yield from codec.decode(None)
                codec.flush_buffers()
        elif not groups:
            return


def _tells_spare_frames(codec: Any) -> bool:  # noqa: ANN401
    """Whether it is marked, and heeded by the decoder, that no other frame refers to one.

    HEVC marks what none of the same temporal layer refers to, which is the same if there is one.
    """
    if codec.name == "hevc":
        header = codec.extradata or b""  # ISO/IEC 14496-15, 8.3.3.1: of version 1, as in MP4
        return len(header) > 21 and header[0] == 1 and header[21] >> 3 & 7 == 1
    return bool(codec.name == "h264")


def upright(frame: Any) -> RGBFrame:  # noqa: ANN401
    """A frame as RGB `[height, width, 3]`, turned as players show it."""
    image: RGBFrame = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


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
            raise MediaError("a video codec that this FFmpeg cannot decode")
        if not stream.disposition & stream.disposition.attached_pic:
            stream.codec_context.thread_count = 1
            return stream
    raise MediaError("it has sound but no video")
