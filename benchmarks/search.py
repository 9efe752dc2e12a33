"""Search through sealed segments: against bare FAISS, numpy, Qdrant's engine and usearch.

    OMP_NUM_THREADS=1 python -m benchmarks.search [--rows 100000] [--data clustered] [--no-peers]

One run, one table: every way answers the same queries over the same vectors on one core, and its
recall@10 is against numpy's exact answer. Half of the queries are stored vectors, moved (`image`);
the other half lie far from everything stored (`text`). Building may use every core. More
threads of BLAS would take turns on the one core.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer import Filter, IndexOptions, LocalCollection, LocalStore, Point, Schema, point_id
from indexer.local import faiss_index
from indexer.local.approximate import Effort
from indexer.local.calibrate import Calibration, Level

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Ask = Callable[[Floats], Ints]

DIM, K, BATCH = 768, 10, 5000
FILTERS = {"50 %": 500, "10 %": 100, "1 %": 10, "0.1 %": 1}
"""Per mille of the rows, by the field `mille`."""
KINDS = {"image": -1, "text, hardest": 0}
"""Of queries, as calibration counts them."""
RECALL = 0.98
MEMORY = """
import sys
from pathlib import Path
import numpy as np
from indexer import LocalStore
def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024
import faiss, indexer.local.faiss_index
before = anonymous()
collection = LocalStore(Path(sys.argv[1])).open("bench")
for query in np.load(sys.argv[2])[:50]:
    collection.search(query)
print(anonymous() - before)
"""


@dataclass(frozen=True)
class Queries:
    """Unit float32 `[n, 768]`, and the rows that truly are nearest, int64 `[n, 10]`."""

    vectors: Floats
    truth: Ints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--data", choices=["clustered", "unclustered"], default="clustered")
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--no-peers", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        report(Path(folder), chosen)


def report(root: Path, chosen: argparse.Namespace) -> None:
    options = IndexOptions(chosen.kind, tail_rows=1 << 40, recall=RECALL)
    store = LocalStore(root, file_bytes=1 << 40, index=options)
    collection = store.create("bench", Schema({"default": DIM}))
    started = time.perf_counter()
    fill(collection, chosen.rows, chosen.data)
    stored = time.perf_counter() - started
    started = time.perf_counter()
    with heartbeat() as gaps:
        collection.seal()
    built = time.perf_counter() - started
    print(f"{chosen.rows} x {DIM}, {chosen.data}")
    print(f"stored in {stored:.0f} s, sealed in {built:.0f} s")
    print(f"longest pause of another thread meanwhile: {max(gaps) * 1e3:.0f} ms")
    [index] = collection.index_info()
    [segment] = index.segments
    print(f"{segment.factory}: {segment.bytes / segment.rows:.0f} bytes a vector on disk")
    for k in segment.calibration.tiers:
        for name, kind in KINDS.items():
            good = chosen_level(segment.calibration, k, kind)
            print(f"  {k} neighbours, {name}: {good or 'exact scan'}")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    raw = np.memmap(next(root.rglob("*.f32")), np.float32, "r", 4096, (chosen.rows, DIM))
    queries = {kind: made(raw, kind, chosen.queries) for kind in ("image", "text")}
    np.save(root / "queries.npy", queries["image"].vectors)
    anonymous = memory(root) / segment.rows
    print(f"memory of its own after 50 searches: {anonymous:.0f} bytes a vector\n")
    print(f"{'':34}{'recall image':>13}{'text':>7}{'p50 ms':>9}{'text':>7}{'p99':>7}{'QPS':>7}")
    ways(collection, raw, root, queries)
    filtered(collection, raw, queries["image"])
    if not chosen.no_peers:
        peers(root, raw, queries)
    store.close()


@contextmanager
def heartbeat() -> Iterator[list[float]]:
    """How long another thread that sleeps a millisecond at a time was away each time, seconds."""
    gaps: list[float] = [0.0]
    ended = threading.Event()

    def beat() -> None:
        last = time.perf_counter()
        while not ended.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield gaps
    finally:
        ended.set()
        thread.join()


def fill(collection: LocalCollection, rows: int, kind: str) -> None:
    for start, vectors in enumerate(data(rows, kind)):
        numbers = range(start * BATCH, start * BATCH + len(vectors))
        collection.upsert(
            [
                Point(point_id(str(n), "image"), str(n), {"default": vector}, {"mille": n % 1000})
                for n, vector in zip(numbers, vectors, strict=True)
            ]
        )


def data(rows: int, kind: str) -> Iterator[Floats]:
    """Batches of unit vectors: 2000 uneven clusters or one, of noise that fades by a power law."""
    random = np.random.default_rng(0)
    fading = (np.arange(1, DIM + 1) ** -0.4).astype(np.float32)
    fading *= np.sqrt(DIM) / np.linalg.norm(fading)
    offset = random.normal(size=DIM)
    centres = random.normal(size=(2000, DIM)) * (1.0 if kind == "clustered" else 0.0)
    weights = random.gamma(0.5, size=2000)
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        owners = random.choice(2000, count, p=weights / weights.sum())
        noise = random.normal(size=(count, DIM)).astype(np.float32) * fading
        yield unit(0.8 * centres[owners] + noise + 0.8 * offset)


def made(raw: Floats, kind: str, count: int) -> Queries:
    random = np.random.default_rng(1)
    stored = raw[np.sort(random.choice(len(raw), count, replace=False))]
    noise = unit(random.normal(size=stored.shape))
    if kind == "image":
        vectors = unit(stored + 0.5 * noise)
    else:
        other = raw[np.sort(random.choice(len(raw), count, replace=False))]
        gap = unit(random.normal(size=(1, DIM)))
        vectors = unit(0.45 * unit(stored + 0.3 * other) + 0.6 * gap + 0.65 * noise)
    return Queries(vectors, nearest(raw, vectors))


def nearest(raw: Floats, vectors: Floats) -> Ints:
    parts = []
    for start in range(0, len(raw), 50_000):
        scores = vectors @ raw[start : start + 50_000].T
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        parts.append((np.take_along_axis(scores, best, 1), best + start))
    scores, rows = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return np.take_along_axis(rows, np.argsort(-scores, axis=1)[:, :K], 1)


def ways(collection: LocalCollection, raw: Floats, root: Path, queries: dict[str, Queries]) -> None:
    """Polylens, what it stands on, and the exact ceiling, in turn for each query.

    So each finds the processor's caches full of what the exact scan read. In the end polylens and
    its index are asked alone, query after query, as a service is.
    """
    [index] = collection.index_info()
    [segment] = index.segments
    asked: dict[str, Ask] = {
        "polylens": searching(collection),
        "polylens, recall=0.95": searching(collection, recall=0.95),
        "polylens, effort=1": searching(collection, effort=1.0),
        "numpy gemv, top 10": lambda query: best_of(raw @ query),
    }
    if not segment.factory.startswith("HNSW"):
        asked |= bare(segment.calibration, raw, next(root.rglob("*.faiss")), queries)
    compare(asked, queries)
    for name in ("polylens", "FAISS, the same lists"):
        if name in asked:
            compare({f"{name}, alone": asked[name]}, queries)


def bare(
    calibration: Calibration, raw: Floats, file: Path, queries: dict[str, Queries]
) -> dict[str, Ask]:
    """The index of the segment without us: the lists that we look at, and as many for every query.

    It rescores as many as we do, which its own products with the centroids decide for us.
    """
    faiss: Any = import_module("faiss")
    index = faiss_index.read(file)
    faiss.omp_set_num_threads(1)
    centroids = faiss_index.centroids(index)
    plans: dict[bytes, tuple[int, int]] = {}

    def rescored(query: Floats, depth: int, probe: int) -> Ints:
        parameters = faiss.SearchParametersIVF(nprobe=probe)
        ids: Ints = index.search(query[None], depth, params=parameters)[1][0] - 1
        ids = ids[ids >= 0]
        return ids[best_of(raw[ids] @ query)]

    asked: dict[str, Ask] = {
        "FAISS, the same lists": lambda query: rescored(query, *plans[query.tobytes()])
    }
    for kind, some in queries.items():
        found = [plan(calibration, centroids, query) for query in some.vectors]
        plans |= {query.tobytes(): one for query, one in zip(some.vectors, found, strict=True)}
        depth, probe = (round(float(np.mean(part))) for part in zip(*found, strict=True))
        name = f"FAISS, {probe} lists as of {kind}, {depth}"
        asked[name] = partial(rescored, depth=depth, probe=probe)
    return asked


def plan(calibration: Calibration, centroids: Floats, query: Floats) -> tuple[int, int]:
    """How many candidates a search takes from how many lists; of all where it would scan."""
    near = faiss_index.products(centroids, query[None])
    level = chosen_level(calibration, K, calibration.kind(near))
    return (level.depth, int(level.probes(near)[0])) if level else (100, len(centroids))


def chosen_level(calibration: Calibration, neighbours: int, kind: int) -> Level | None:
    return Effort().level(calibration.levels(neighbours, kind), RECALL, kind)


def searching(
    collection: LocalCollection, effort: float | None = None, recall: float | None = None
) -> Ask:
    def ask(query: Floats) -> Ints:
        hits = collection.search(query, limit=K, effort=effort, recall=recall).hits
        return np.array([int(hit.asset) for hit in hits])

    return ask


def best_of(scores: Floats) -> Ints:
    best = np.argpartition(-scores, K)[:K]
    order: Ints = best[np.argsort(-scores[best])]
    return order


def compare(asked: dict[str, Ask], queries: dict[str, Queries]) -> None:
    times = {name: {kind: np.empty(len(q.truth)) for kind, q in queries.items()} for name in asked}
    recalls = {name: dict.fromkeys(queries, 0.0) for name in asked}
    for kind, some in queries.items():
        for ask in asked.values():
            ask(some.vectors[0])
        for number, (query, truth) in enumerate(zip(some.vectors, some.truth, strict=True)):
            for name, ask in asked.items():
                started = time.perf_counter()
                found = ask(query)
                times[name][kind][number] = time.perf_counter() - started
                recalls[name][kind] += len(np.intersect1d(found, truth)) / truth.size
    for name in asked:
        shares = {kind: recalls[name][kind] / len(queries[kind].truth) for kind in queries}
        line(name, shares, times[name])


def line(name: str, recalls: dict[str, float], times: dict[str, NDArray[np.float64]]) -> None:
    medians = {kind: float(np.median(found)) * 1e3 for kind, found in times.items()}
    everything = np.concatenate(list(times.values()))
    late = np.percentile(everything, 99) * 1e3
    print(
        f"{name:34}{recalls['image']:13.3f}{recalls['text']:7.3f}{medians['image']:9.2f}"
        f"{medians['text']:7.2f}{late:7.1f}{1 / everything.mean():7.0f}"
    )


def filtered(collection: LocalCollection, raw: Floats, queries: Queries) -> None:
    print(f"\n{'with a filter':18}{'way':>10}{'recall':>8}{'p50 ms':>8}{'p99':>7}{'new, p50':>10}")
    for name, most in FILTERS.items():
        tree = Filter.parse({"must": [{"key": "mille", "range": {"lt": most}}]})
        rows = np.flatnonzero(np.arange(len(raw)) % 1000 < most)
        kept = raw[rows]
        truth = rows[nearest(kept, queries.vectors)]
        times, recalls, fresh, way = [], [], [], ""
        for number, query in enumerate(queries.vectors):
            if number < 20:  # a commit makes every remembered filter stale
                collection.set_payload([point_id("0", "image")], {"seen": number})
                collection.count()
                started = time.perf_counter()
                collection.search(query, filter=tree)
                fresh.append(time.perf_counter() - started)
            started = time.perf_counter()
            result = collection.search(query, filter=tree)
            times.append(time.perf_counter() - started)
            found = [int(hit.asset) for hit in result.hits]
            recalls.append(len(np.intersect1d(found, truth[number])) / K)
            way = result.way
        p50, p99 = np.percentile(times, [50, 99]) * 1e3
        new = np.median(fresh) * 1e3
        print(f"{name:18}{way:>10}{np.mean(recalls):8.3f}{p50:8.2f}{p99:7.1f}{new:10.2f}")


def memory(root: Path) -> int:
    command = [sys.executable, "-c", MEMORY, str(root), str(root / "queries.npy")]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(child.stdout)


def peers(root: Path, raw: Floats, queries: dict[str, Queries]) -> None:
    """Other engines, each in a process of its own, at two settings."""
    print(f"\n{'peers, one after another':34}{'recall image':>13}{'text':>7}{'p50 ms':>9}"
          f"{'text':>7}{'p99':>7}{'QPS':>7}")  # fmt: skip
    for kind, some in queries.items():
        np.savez(root / f"{kind}.npz", vectors=some.vectors, truth=some.truth)
    np.save(root / "raw.npy", raw)
    for engine in ("usearch", "qdrant_edge"):
        command = [sys.executable, "-m", "benchmarks.search_peer", engine, str(root)]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        for answer in map(json.loads, child.stdout.splitlines()):
            times = {kind: np.array(found) for kind, found in answer["times"].items()}
            line(answer["name"], answer["recalls"], times)


def unit(rows: NDArray[Any]) -> Floats:
    scaled: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


if __name__ == "__main__":
    main()
