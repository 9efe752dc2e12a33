"""Opening and decoding a video file with PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a video; whatever FFmpeg or the disk has against it becomes `MediaError`."""
    import av

    try:
        with (
            path.open("rb") as file,
            av.open(_source(path, file), metadata_errors="replace") as container,
        ):
            yield container, _moving_pictures(container)
    except av.FFmpegError as error:
        raise MediaError(f"no video that can be read ({error.strerror})") from error
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    except (IndexError, ValueError) as error:  # PyAV, where a header contradicts itself
        raise MediaError(f"no video that can be read ({error})") from error


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
            raise MediaError("a video coding that this FFmpeg cannot decode")
        if not stream.disposition & stream.disposition.attached_pic:
            stream.codec_context.thread_count = 1
            return stream
    raise MediaError("no moving pictures in it, sound alone")
