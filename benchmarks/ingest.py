"""Ingesting a folder of photos, beside its stages alone: one run, one table for each encoder.

    python benchmarks/ingest.py [--count 500] [--megapixels 12] [--rounds 3] [--workers N]

The stages are decode-only (read, decode, `preprocess`, in the same number of threads) and
encode-only (`encode_pixels` of the same pixels in the same batches). Both and the ingestion take
turns, so that noise of the machine hits all alike; files are in the page cache, medians count.

The target is 0.90 of the slower stage. Where the encoder runs on the CPU its stages share the
cores, and the true ceiling is the time that all cores together need for both: the last column.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from encoders import Encoder, Pixels, load_encoder
from indexer import LocalStore, Schema
from ingestion import IngestOptions, ingest, load_image, walk
from ingestion.reading import input_side

CONTENTS = 4
QUALITIES = (80, 85, 90, 95)
ENCODED = 64  # distinct inputs for encode-only, used over and over


@dataclass
class Stage:
    """Times of one thing measured, seconds of the clock and of the processor."""

    run: Callable[[], None]
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def measure(self) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        self.run()
        self.clock.append(time.perf_counter() - clock)
        self.processor.append(time.process_time() - processor)

    def rate(self, count: int) -> float:
        return count / statistics.median(self.clock)

    def cost(self, count: int) -> float:
        """Processor seconds for each image."""
        return statistics.median(self.processor) / count


def main() -> None:
    """Print the tables; rates are images a second."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch loads
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=IngestOptions().workers)
    parser.add_argument("--encoders", nargs="+", default=["fake", "offline"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        size = save_photos(photos, options.count, options.megapixels)
        print(f"{options.count} JPEGs of {options.megapixels:g} MP, {size / 1e6:.1f} MB each,")
        print(f"{options.workers} decoding threads on {os.cpu_count()} cores\n")
        print("| encoder | decode-only | encode-only | ingest | of the slower | of all cores |")
        print("|---|---|---|---|---|---|")
        for name in options.encoders:
            run = Comparison(load_encoder(name), photos, Path(folder) / name, options.workers)
            print(f"| `{name}` | {run.row(options.rounds)} |", flush=True)


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


class Comparison:
    """One encoder, its stages and the whole."""

    def __init__(self, encoder: Encoder, photos: Path, data: Path, workers: int) -> None:
        self._encoder = encoder
        self._paths = sorted(photos.iterdir())
        self._photos = photos
        self._data = data
        self._options = IngestOptions(workers=workers)
        self._side = input_side(encoder.preprocess)
        self._round = 0

    def row(self, rounds: int) -> str:
        """The table's cells."""
        decode, encode, whole = Stage(self._decode), Stage(self._encode), Stage(self._ingest)
        self._pixels = [self._load(path) for path in self._paths[:ENCODED]]
        self._encoder.encode_pixels(self._pixels[:1])
        for _ in range(rounds):
            for stage in (decode, encode, whole):
                stage.measure()
        count = len(self._paths)
        rates = [stage.rate(count) for stage in (decode, encode, whole)]
        ceiling = (os.cpu_count() or 1) / (decode.cost(count) + encode.cost(count))
        shares = [rates[2] / min(rates[:2]), rates[2] / ceiling]
        cells = [*(f"{rate:.1f}" for rate in rates), *(f"{share:.2f}" for share in shares)]
        return " | ".join(cells)

    def _load(self, path: Path) -> Pixels:
        return self._encoder.preprocess(load_image(path, target_size=self._side))

    def _decode(self) -> None:
        with ThreadPoolExecutor(self._options.workers) as pool:
            for _ in pool.map(self._load, self._paths):
                pass

    def _encode(self) -> None:
        size = self._encoder.info.batch_size
        for start in range(0, len(self._paths), size):
            batch = range(start, min(start + size, len(self._paths)))
            pixels = [self._pixels[number % len(self._pixels)] for number in batch]
            self._encoder.encode_pixels(pixels, normalize=False)

    def _ingest(self) -> None:
        self._round += 1
        info = self._encoder.info
        collection = LocalStore(self._data / str(self._round)).create(
            "photos", Schema(info.vectors, info.name, info.fingerprint)
        )
        for _ in ingest(walk(self._photos), self._encoder, collection, self._options):
            pass
        if collection.count() != len(self._paths):
            raise RuntimeError(f"{collection.count()} of {len(self._paths)} photos were ingested")
        collection.close()


if __name__ == "__main__":
    main()
