"""H.264 coded field by field (PAFF), which no encoder at hand makes: raw macroblocks of noise.

Figures are those of ITU-T H.264: 7.3 (syntax), 7.4 (semantics), D.1 (SEI).
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDE, HIGH = 4, 2  # macroblocks of a field: a frame has 64 x 64 pixels
FIELD = Fraction(1, 50)  # seconds
FRAMES_IN_GROUP = 12


class Bits:
    """Writes numbers as H.264 codes them."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def whole(self) -> NDArray[np.uint8]:
        """All of them as bytes, the last filled up with zeros."""
        return np.packbits(self._bits)

    def put(self, count: int, value: int) -> "Bits":
        """So many bits."""
        self._bits += [value >> at & 1 for at in reversed(range(count))]
        return self

    def code(self, *values: int) -> "Bits":
        """Exponential-Golomb codes of numbers from 0 on."""
        for value in values:
            self.put(2 * (value + 1).bit_length() - 1, value + 1)
        return self

    def samples(self, values: NDArray[np.uint8]) -> "Bits":
        """Bytes, at the next whole byte."""
        self._bits += [0] * (-len(self._bits) % 8)
        self._bits += np.unpackbits(values.ravel()).tolist()
        return self

    def unit(self, kind: int, importance: int) -> bytes:
        """A NAL unit of them, behind a start code."""
        data, escaped = np.packbits([*self._bits, 1]).tobytes(), bytearray()
        for byte in data:
            if byte <= 3 and escaped[-2:] == b"\0\0":
                escaped.append(3)
            escaped.append(byte)
        return b"\0\0\0\1" + bytes([importance << 5 | kind]) + bytes(escaped)


def save_fields(path: Path, count: int, *, apart: bool, progressive: bool) -> Path:
    """A film of `count` frames, 25 a second, each of two fields, `apart` in packets of their own.

    `progressive` says of each that the camera took both at once.
    """
    frames = list(_frames(count, progressive=progressive))
    raw = path.with_suffix(".h264")
    raw.write_bytes(b"".join(top + bottom for top, bottom in frames))
    with av.open(str(raw)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, (top, bottom) in enumerate(frames):
            parts = [top, bottom] if apart else [top + bottom]
            for at, data in enumerate(parts):
                delimiter = b"\0\0\0\1\x09\xf0" if path.suffix == ".ts" else b""
                packet = av.Packet(delimiter + data)
                packet.stream, packet.time_base = stream, FIELD
                packet.pts = packet.dts = 2 * number + at
                packet.duration = 2 // len(parts)
                packet.is_keyframe = not at and number % FRAMES_IN_GROUP == 0
                container.mux(packet)
    raw.unlink()
    return path


def _frames(count: int, *, progressive: bool) -> Iterator[tuple[bytes, bytes]]:
    random = np.random.default_rng(count)
    for number in range(count):
        place = number % FRAMES_IN_GROUP
        told = [_timing(bottom, progressive=progressive) for bottom in (0, 1)]
        top, bottom = (_field(place, parity, random) for parity in (0, 1))
        yield (b"" if place else _parameters()) + told[0] + top, told[1] + bottom


def _parameters() -> bytes:
    """SPS of the Main profile, frames of fields in the order shown, with pic_struct; PPS."""
    sps = Bits().put(24, 77 << 16 | 30).code(0, 0, 2, 1).put(1, 0).code(WIDE - 1, HIGH - 1)
    sps.put(4, 0b0010).put(1, 1)  # fields, direct_8x8_inference; VUI
    sps.put(4, 0).put(1, 1).put(32, 1).put(32, 50).put(1, 1).put(4, 0b0010)
    pps = Bits().code(0, 0).put(2, 0).code(0, 0, 0).put(3, 0).code(0, 0, 0).put(3, 0b100)
    return sps.unit(7, 3) + pps.unit(8, 3)


def _timing(bottom: int, *, progressive: bool) -> bytes:
    """SEI: which field it is, and how it was scanned."""
    scan = Bits().put(4, 1 + bottom).put(1, 1).put(2, not progressive).put(33, 1 << 26 | 1 << 25)
    data = scan.whole()
    return Bits().put(8, 1).put(8, len(data)).samples(data).unit(6, 0)


def _field(place: int, bottom: int, random: np.random.Generator) -> bytes:
    """A slice of a field: the first of a group is IDR, the others are P."""
    first = not place and not bottom
    bits = Bits().code(0, 7 if first else 5, 0).put(4, place).put(1, 1).put(1, bottom)
    bits = bits.code(0).put(2, 0) if first else bits.put(3, 0)
    bits.code(0, 1)
    grey = np.full(128, 128, np.uint8)
    for _ in range(WIDE * HIGH):
        bits.code(25) if first else bits.code(0, 30)
        bits.samples(random.integers(30, 220, 256, dtype=np.uint8)).samples(grey)
    return bits.unit(5 if first else 1, 3)
