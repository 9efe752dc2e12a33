"""Photos and films to ingest: detail at every scale, every file different."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

CONTENTS = 4
QUALITIES = (80, 85, 90, 95)
FPS = 30


def save_photos(folder: Path, count: int, megapixels: float) -> float:
    """Write `count` JPEGs, all different; returns their mean size in bytes."""
    folder.mkdir()
    side = round((megapixels * 1e6 / 12) ** 0.5)
    pictures = [
        jpeg(photo(seed, (4 * side, 3 * side)), quality)
        for seed in range(CONTENTS)
        for quality in QUALITIES
    ]
    total = 0
    for number in range(count):
        data = with_comment(pictures[number % len(pictures)], f"photo {number}")
        total += (folder / f"{number:06d}.jpg").write_bytes(data)
    return total / count


def save_films(folder: Path, count: int, seconds: int) -> float:
    """Write films of 1280 x 720 at 30 frames a second, H.264: a slow pan; their mean size."""
    folder.mkdir()
    total = 0
    for number in range(count):
        wide = np.asarray(photo(number, (1280 + FPS * seconds, 720)))
        path = folder / f"{number:03d}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
            for at in range(FPS * seconds):
                container.mux(stream.encode(_frame(wide[:, at : at + 1280], at)))
            container.mux(stream.encode())
        total += path.stat().st_size
    return total / count


def photo(seed: int, size: tuple[int, int]) -> Image.Image:
    """Detail at every scale, as in a photo: noise of halving size, added up."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3), np.float32)
    for octave in range(2, 12):
        shape = (min(3 << octave, size[1]), min(4 << octave, size[0]), 3)
        noise = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        grown = np.asarray(noise.resize(size, Image.Resampling.BILINEAR), np.float32)
        total += (grown - 128) * 0.75**octave * 2
    return Image.fromarray(np.clip(128 + total, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def with_comment(file: bytes, comment: str) -> bytes:
    """The same picture in a file of other content."""
    text = comment.encode()
    return file[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + file[2:]


def _frame(pixels: NDArray[np.uint8], at: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame.pts, frame.time_base = at, Fraction(1, FPS)
    return frame
