"""Near-duplicates among many pictures: how long to find and to record them, in processor seconds.

    python -m benchmarks.duplicates [--count 100000] [--hashes 1000000]

A collection of `count` points with random perceptual hashes, a tenth of which are a few bits away
from another one; then as many bare `hashes`, and a brute-force comparison of 2,000 with all.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from encoders.fake import FakeEncoder
from indexer import IndexOptions, LocalCollection, LocalStore, Point, Schema, point_id
from ingestion import find_duplicates, record_duplicates
from ingestion.alike import SAME_BITS, Hashes, keepers

BATCH = 4000  # points a commit
SOME = 2000  # hashes compared with all others


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--hashes", type=int, default=1_000_000)
    options = parser.parse_args()
    print("| step | of | seconds |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        info = FakeEncoder().info
        store = LocalStore(Path(folder), index=IndexOptions("exact"))
        made = store.create("photos", Schema(info.vectors, info.name, info.fingerprint))
        fill(made, options.count)
        start = time.process_time()
        groups = find_duplicates(made)
        print(f"| find | {options.count:,} points | {time.process_time() - start:.1f} |")
        for word in ("record", "record again, nothing new"):
            start = time.process_time()
            record_duplicates(made, groups)
            print(f"| {word} | {len(groups):,} groups | {time.process_time() - start:.1f} |")
            groups = find_duplicates(made)
        store.close()
    hashes = looks(options.hashes)
    start = time.process_time()
    kept = keepers(hashes)
    print(f"| group | {len(hashes):,} hashes | {time.process_time() - start:.1f} |")
    start = time.process_time()
    late = np.arange(len(hashes) - SOME, len(hashes))
    near = [np.flatnonzero(np.bitwise_count(hashes[:at] ^ hashes[at]) <= SAME_BITS) for at in late]
    spent = (time.process_time() - start) / SOME * len(hashes) / 2
    print(f"| group by comparing all with all, from {SOME:,} | the same | {spent:,.0f} |")
    missed = sum(len(one) > 0 and kept[at] == at for at, one in zip(late, near, strict=True))
    print(f"\nof these {SOME:,}, {missed} stand for themselves though they are near another one")


def looks(count: int) -> Hashes:
    """Distinct hashes, a tenth of them up to five bits away from another one."""
    chance = np.random.default_rng(0)
    some = chance.integers(0, 2**64, count - count // 10, dtype=np.uint64)
    near = chance.choice(some, count // 10)
    for _ in range(5):
        near ^= np.uint64(1) << chance.integers(0, 64, len(near)).astype(np.uint64)
    hashes = np.unique(np.concatenate((some, near)))
    chance.shuffle(hashes)
    return hashes


def fill(collection: LocalCollection, count: int) -> None:
    """Points as photos have them."""
    vector = {"default": np.eye(1, collection.schema.vectors["default"], dtype=np.float32)[0]}
    hashes = looks(count).tolist()
    for start in range(0, len(hashes), BATCH):
        points = []
        for number, look in enumerate(hashes[start : start + BATCH], start):
            asset = f"file:///photos/{number:08}.jpg"
            says = {
                "kind": "image",
                "name": f"{number:08}.jpg",
                "folder": "/photos",
                "size": 3_000_000 + number,
                "mtime_ns": number,
                "content_hash": f"{number:064x}",
                "width": 4000,
                "height": 3000,
                "format": "JPEG",
                "phash": f"{look:016x}",
            }
            points.append(Point(point_id(asset, "image"), asset, vector, says))
        collection.upsert(points)


if __name__ == "__main__":
    main()
