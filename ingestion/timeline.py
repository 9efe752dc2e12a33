"""The display times of a video's frames, read without decoding."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.container import Clock, Opened, Times, decoded, opened
from ingestion.errors import MediaError
from ingestion.film import film_payload
from ingestion.formats import HEAD_BYTES, MATROSKA, MP4, sniff
from ingestion.heartbeat import beat
from ingestion.options import Limits

WELL_INDEXED = (MP4, MATROSKA)
AHEAD_BYTES = 256 << 20  # decord decodes ahead of its reader, in the end the whole video
LONGEST_GAP = 60.0  # seconds a frame is shown, on average: far beyond it decord aborts
USUAL_RATE = 25.0  # frames a second, where a container does not say
FIELD_SECONDS = 0.022  # packets no further apart may be fields, two of which make a frame
PROBED = 24  # packets that tell whether they are


@dataclass(frozen=True)
class Timeline:
    """`times` of the frames, ascending, and the `duration`, in seconds since the first frame.

    `promised` is the duration that the header claims, 0 where it does not. `clock` tells the same
    times while decoding. `exact`: from a key frame on, stamps and counting tell any frame after it.
    `regular`: besides, all frames together are small enough for a reader that runs ahead.
    `keyframes`: only those have times here. `keys` are the times of all key frames.
    """

    times: Times
    duration: float
    promised: float
    clock: Clock
    exact: bool
    regular: bool
    keyframes: bool = False
    keys: Times = field(default_factory=lambda: np.zeros(0))
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the container says of the film, see `film_payload`."""

    @classmethod
    def read(cls, path: Path, limits: Limits, *, keyframes: bool = False) -> "Timeline":
        """Raises `MediaError` where there is nothing to see, or frames too large.

        `keyframes` asks for those alone, where the container tells their times.
        """
        with opened(path) as video:
            container, stream = video
            _check_size(stream, limits)
            packets = _Packets()
            packets.read(video)
            promised = _promised(container, stream)
            is_avi = container.format.name == "avi"
            counted = is_avi or None in packets.stamps
            rate = float(stream.guessed_rate or USUAL_RATE)
            clock, times = _count(packets, rate) if counted else _stamp(packets, stream)
            tick = float(stream.time_base)
            frames, frame_bytes = stream.frames, _frame_bytes(stream)
            codec = str(stream.codec_context.name)
            facts = film_payload({**stream.metadata, **container.metadata}, codec)
        may_be_fields = codec == "h264" and not is_avi and packets.may_be_fields(tick)
        if may_be_fields and _is_of_fields(path):
            clock, times = _decode(path, packets, tick)
            counted, packets = False, _Packets(odd=True)
        if not len(times):
            raise MediaError("a video without frames")
        gap = float(np.median(np.diff(times))) if len(times) > 1 else max(promised, 1 / rate)
        # decord makes room for as many frames as the header claims, and aborts where it cannot.
        honest = frames <= len(packets.stamps) and times[-1] <= LONGEST_GAP * len(times)
        small = len(times) * frame_bytes <= AHEAD_BYTES
        keys = np.unique(packets.keys) * tick - clock.start
        exact = bool(not counted and not packets.odd and len(keys) and is_well_indexed(path))
        duration = round(float(times[-1]) + gap, 3)
        if keyframes and not counted and len(keys):
            return cls(keys, duration, promised, clock, exact, False, True, keys, facts)
        regular = bool(honest and small and exact)
        return cls(times, duration, promised, clock, exact, regular, keys=keys, facts=facts)

    def shown_at(self, time: float) -> int:
        """The number of the frame on screen at `time`."""
        return max(int(np.searchsorted(self.times, time + 1e-4, side="right")) - 1, 0)


def is_well_indexed(path: Path) -> bool:
    """Whether the container has an index to seek by; in MPEG-TS and FLV seeking misses."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES)) in WELL_INDEXED


@dataclass
class _Packets:
    """The stamps of all frames, in the order stored.

    `odd`: some are shown before the key frame they follow (an open group of pictures) or not at all
    (cut by an edit list), so that counting from a key frame finds another one.
    """

    stamps: list[int | None] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    odd: bool = False

    def read(self, video: Opened) -> None:
        import av

        container, stream = video
        with suppress(av.FFmpegError):  # cut short: what came before is what there is
            for packet in container.demux(stream):
                beat()
                if packet.size:
                    self._add(packet)

    def may_be_fields(self, tick: float) -> bool:
        """Whether some come as fast as fields, or some have stamps and some have none."""
        stamps = np.unique([stamp for stamp in self.stamps if stamp is not None])
        gaps = np.diff(stamps) * tick
        return bool(len(gaps)) and (None in self.stamps or bool(gaps.min() < FIELD_SECONDS))

    def _add(self, packet: Any) -> None:  # noqa: ANN401
        if packet.is_discard:
            self.odd = True
            return
        self.stamps.append(packet.pts)
        if packet.pts is None:
            return
        if packet.is_keyframe:
            self.keys.append(packet.pts)
        elif self.keys and packet.pts < self.keys[-1]:
            self.odd = True


def _is_of_fields(path: Path) -> bool:
    """Whether frames are coded as two fields, which may lie in packets of their own."""
    import av

    count = 0
    with opened(path) as (container, stream), suppress(av.FFmpegError):
        for packet in chain(islice(container.demux(stream), PROBED), [None]):
            frames = stream.codec_context.decode(packet)
            if any(frame.interlaced_frame for frame in frames):
                return True
            count += len(frames)
    return count < 0.75 * PROBED


def _check_size(stream: Any, limits: Limits) -> None:  # noqa: ANN401
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_pixels:
        raise MediaError(
            f"frames of {width} x {height} pixels, "
            f"above the limit of {limits.max_pixels / 1e6:.0f} MP"
        )


def _frame_bytes(stream: Any) -> int:  # noqa: ANN401
    """Of a decoded frame."""
    return int(stream.codec_context.width * stream.codec_context.height * 3)


def _promised(container: Any, stream: Any) -> float:  # noqa: ANN401
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _count(packets: _Packets, rate: float) -> tuple[Clock, Times]:
    return Clock(rate=rate), np.arange(len(packets.stamps)) / rate


def _stamp(packets: _Packets, stream: Any) -> tuple[Clock, Times]:  # noqa: ANN401
    times = np.unique(np.asarray(packets.stamps, dtype=np.float64)) * float(stream.time_base)
    return (Clock(float(times[0])), times - times[0]) if len(times) else (Clock(), times)


def _decode(path: Path, packets: _Packets, tick: float) -> tuple[Clock, Times]:
    """As `_stamp`, of frames, where packets do not tell them."""
    clock = Clock(min(stamp for stamp in packets.stamps if stamp is not None) * tick)
    with opened(path) as video:
        return clock, np.unique([time for time, _ in decoded(video, clock)])
