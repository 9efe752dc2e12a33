"""Exact search against the bare scan it cannot beat: one run, one table.

    python -m benchmarks.exact_search [--rows 100000] [--dim 384] [--queries 100] [--folder DIR]

The floor is one numpy matrix-vector product over the same bytes: the raw file, mapped. Queries of
each kind alternate, so that noise of the machine hits all alike; only the product over a copy in
memory runs by itself, or the copy would push the file out of the processor's caches.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer import Filter, LocalCollection, LocalStore, Point, Schema, point_id

BATCH = 2000
ONE_IN_HUNDRED = Filter.parse({"must": [{"key": "bucket", "match": {"value": 7}}]})
CHILD = """
import sys, time
start = time.perf_counter()
from pathlib import Path
import numpy as np
from indexer import LocalStore
imported = time.perf_counter()
collection = LocalStore(Path(sys.argv[1])).open("bench")
opened = time.perf_counter()
query = np.random.default_rng(1).normal(size=collection.schema.vectors["default"])
collection.search(query)
first = time.perf_counter()
collection.search(query)
second = time.perf_counter()
times = np.diff([start, imported, opened, first, second])
print(*times)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        root = Path(folder)
        started = time.perf_counter()
        collection = build(root, arguments.rows, arguments.dim)
        rate = arguments.rows / (time.perf_counter() - started)
        print(f"{arguments.rows} x {arguments.dim} float32, stored at {rate:,.0f} points/s\n")
        report_queries(collection, root, arguments.queries)
        collection.close()
        report_processes(root)


def build(root: Path, rows: int, dim: int) -> LocalCollection:
    """A collection of random points in batches, a hundredth of them in each `bucket`."""
    collection = LocalStore(root).create("bench", Schema({"default": dim}))
    random = np.random.default_rng(0)
    for start in range(0, rows, BATCH):
        vectors = random.normal(size=(min(BATCH, rows - start), dim)).astype(np.float32)
        collection.upsert(
            [
                Point(
                    point_id(f"file:///{row}.jpg", "image"),
                    f"file:///{row}.jpg",
                    {"default": vector},
                    {"bucket": row % 100},
                )
                for row, vector in enumerate(vectors, start)
            ]
        )
    return collection


def report_queries(collection: LocalCollection, root: Path, queries: int) -> None:
    dim = collection.schema.vectors["default"]
    rows = collection.count()
    mapped = np.memmap(next(root.rglob("*.f32")), np.float32, "r", 4096, (rows, dim))
    random = np.random.default_rng(1)
    vectors = random.normal(size=(queries, dim)).astype(np.float32)
    kinds: dict[str, Callable[[NDArray[np.float32]], object]] = {
        "numpy gemv, mapped file": lambda query: mapped @ query,
        "search, top 10": lambda query: collection.search(query),
        "search, top 100": lambda query: collection.search(query, limit=100),
        "search, 1 % filter, known": lambda query: collection.search(query, filter=ONE_IN_HUNDRED),
    }
    times = {name: np.empty(queries) for name in [*kinds, "search, 1 % filter, new"]}
    for number, query in enumerate(vectors):
        for name, ask in kinds.items():
            times[name][number] = elapsed(ask, query)
        # A commit makes every cached filter stale.
        collection.set_payload([point_id("file:///0.jpg", "image")], {"seen": number})
        collection.count()
        times["search, 1 % filter, new"][number] = elapsed(
            kinds["search, 1 % filter, known"], query
        )
    copied = np.array(mapped)
    times["numpy gemv, copy in memory"] = np.array(
        [elapsed(lambda query: copied @ query, query) for query in vectors]
    )
    floor = np.median(times["numpy gemv, mapped file"])
    print(f"{'':28}{'p50 ms':>8}{'p99 ms':>8}{'x floor':>9}")
    for name, found in times.items():
        p50, p99 = np.percentile(found, [50, 99])
        print(f"{name:28}{p50 * 1e3:8.2f}{p99 * 1e3:8.2f}{p50 / floor:9.2f}")


def elapsed(ask: Callable[[NDArray[np.float32]], object], query: NDArray[np.float32]) -> float:
    start = time.perf_counter()
    ask(query)
    return time.perf_counter() - start


def report_processes(root: Path) -> None:
    print(f"\n{'a new process, ms':28}{'import':>8}{'open':>8}{'first':>9}{'second':>9}")
    for name, evict in (("files not in the cache", True), ("files in the cache", False)):
        if evict:
            forget(root)
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(root)], capture_output=True, text=True, check=True
        )
        imported, opened, first, second = (float(part) * 1e3 for part in child.stdout.split())
        print(f"{name:28}{imported:8.0f}{opened:8.0f}{first:9.1f}{second:9.1f}")


def forget(root: Path) -> None:
    """Drop the files from the page cache, where the system can."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in root.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
