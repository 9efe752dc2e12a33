"""Images and videos made on the spot, for the tests of every package."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

RGBFrame = NDArray[np.uint8]
TICK = Fraction(1, 1000)  # video times are given in milliseconds


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture unlike that of any other seed: 6 x 4 patches of random colours."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def plain(colour: str, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture of one colour, by its CSS name."""
    return Image.new("RGB", size, ImageColor.getrgb(colour))


def encoded(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:  # noqa: A002, ANN401
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def save_pictures(folder: Path, count: int, first: int = 0) -> list[Path]:
    """`count` small JPEGs named `00000.jpg` and so on, the number being the seed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed:05d}.jpg" for seed in range(first, first + count)]
    for seed, path in enumerate(paths, first):
        path.write_bytes(encoded(picture(seed), quality=90))
    return paths


def frames(
    colours: Sequence[str], each: int = 15, size: tuple[int, int] = (160, 120)
) -> list[RGBFrame]:
    """Frames uint8 `[height, width, 3]`: `each` of every colour in turn, a white bar moving across.

    "black" frames have no bar.
    """
    width, height = size
    shots = []
    for colour in colours:
        for step in range(each):
            frame = np.full((height, width, 3), ImageColor.getrgb(colour)[:3], dtype=np.uint8)
            if colour != "black":
                left = step * (width - 8) // each
                frame[:, left : left + 8] = 255
            shots.append(frame)
    return shots


def save_video(
    path: Path,
    shots: Sequence[RGBFrame],
    *,
    times_ms: Sequence[int] | None = None,
    fps: int = 15,
    codec: str = "libx264",
    gop: int = 15,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode frames, evenly at `fps` or each at its own time (a variable frame rate)."""
    times = times_ms or [round(1000 * at / fps) for at in range(len(shots))]
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps, options={"g": str(gop)} | (options or {}))
        stream.height, stream.width = shots[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TICK if times_ms else Fraction(1, fps)
        for shot, time in zip(shots, times, strict=True):
            frame = av.VideoFrame.from_ndarray(shot, format="rgb24")
            frame.pts, frame.time_base = time, TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def save_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file of a video format that holds sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        samples = np.zeros((1, int(16000 * seconds)), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn_video(path: Path) -> None:
    """Mark an MP4 as filmed with the phone turned: players show it rotated by 90 degrees."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    (height,) = struct.unpack(">I", data[header + 84 : header + 88])
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, height, 0, 1 << 30)
    data[header + 44 : header + 80] = matrix
    path.write_bytes(data)
