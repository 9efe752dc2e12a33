"""Where the processor time of one photo goes, step by step, as bars."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from encoders import Encoder
from indexer import AssetWrite, LedgerRow, LocalStore, Point, Schema, point_id
from ingestion.hashing import hash_bytes
from ingestion.images import Picture, read_bytes
from ingestion.phash import SIDE, perceptual_hash
from ingestion.reading import input_side

WIDTH = 50  # letters of the longest bar


def print_chart(encoder: Encoder, paths: Sequence[Path]) -> None:
    """One after the other in one thread, as the pipeline does them; thumbnails as `serve` does."""
    spent = dict.fromkeys(
        ("read", "content hash", "header, EXIF", "decode", "near-dup hash", "preprocess",
         "encode", "commit", "(thumbnail)"), 0.0
    )  # fmt: skip
    side = max(input_side(encoder.preprocess), SIDE)
    pixels, thumbnails = [], []

    def timed(step: str, start: float) -> None:
        spent[step] += time.process_time() - start

    for path in paths:
        start = time.process_time()
        data = read_bytes(path)
        timed("read", start)
        start = time.process_time()
        hash_bytes(data)
        timed("content hash", start)
        start = time.process_time()
        picture = Picture(data)
        picture.payload()
        timed("header, EXIF", start)
        start = time.process_time()
        image = picture.decode(side)
        timed("decode", start)
        start = time.process_time()
        perceptual_hash(image)
        timed("near-dup hash", start)
        start = time.process_time()
        pixels.append(encoder.preprocess(image))
        timed("preprocess", start)
        thumbnails.append(image)
    start = time.process_time()
    vectors = encoder.encode_pixels(pixels)
    timed("encode", start)
    with tempfile.TemporaryDirectory() as folder:
        info = encoder.info
        made = LocalStore(Path(folder)).create("x", Schema(info.vectors, info.name))
        rows = [
            {name: np.asarray(row[at]) for name, row in vectors.items()} for at in range(len(paths))
        ]
        start = time.process_time()
        made.replace([_write(path, row) for path, row in zip(paths, rows, strict=True)])
        timed("commit", start)
        start = time.process_time()
        for image in thumbnails[:16]:
            image.thumbnail((560, 560))
            image.save(Path(folder) / "t.webp", "WEBP", quality=80, method=3)
        spent["(thumbnail)"] = (time.process_time() - start) / len(thumbnails[:16]) * len(paths)
        made.close()
    most = max(spent.values())
    print(
        f"processor milliseconds for each photo, `{encoder.info.name.rpartition('/')[2]}`:\n\n```"
    )
    for step, seconds in spent.items():
        bar = "█" * max(round(WIDTH * seconds / most), seconds > 0)
        print(f"{step:>14} {1000 * seconds / len(paths):7.2f} {bar}")
    print("```")


def _write(path: Path, row: dict[str, np.ndarray]) -> AssetWrite:
    asset = path.as_uri()
    point = Point(point_id(asset, "image"), asset, row, {"kind": "image", "name": path.name})
    return AssetWrite(asset, [point], LedgerRow(asset, "done", points=1))
