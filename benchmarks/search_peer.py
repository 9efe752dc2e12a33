"""Another engine on the vectors of `benchmarks/search.py`, in a process of its own.

    python -m benchmarks.search_peer usearch|qdrant_edge FOLDER

Prints a line of JSON for each setting: its name, recall@10 and times by kind of query.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ask = Callable[[Floats], NDArray[np.int64]]
K = 10


def main(engine: str, folder: str) -> None:
    root = Path(folder)
    raw = np.load(root / "raw.npy", mmap_mode="r")
    started = time.perf_counter()
    for name, ask in {"usearch": usearch, "qdrant_edge": qdrant_edge}[engine](raw, root):
        built, started = time.perf_counter() - started, time.perf_counter()
        times, recalls = {}, {}
        for kind in ("image", "text"):
            saved = np.load(root / f"{kind}.npz")
            times[kind], found = asked(ask, saved["vectors"])
            pairs = zip(found, saved["truth"], strict=True)
            recalls[kind] = float(np.mean([len(np.intersect1d(a, b)) / K for a, b in pairs]))
        print(f"  {name}: {built:.0f} s to get ready", file=sys.stderr)
        print(json.dumps({"name": name, "times": times, "recalls": recalls}), flush=True)


def asked(ask: Ask, vectors: Floats) -> tuple[list[float], list[NDArray[np.int64]]]:
    ask(vectors[0])
    times, found = [], []
    for query in vectors:
        started = time.perf_counter()
        found.append(ask(query))
        times.append(time.perf_counter() - started)
    return times, found


def usearch(raw: Floats, _: Path) -> Iterator[tuple[str, Ask]]:
    from usearch.index import Index

    index = Index(ndim=raw.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=100)
    index.add(np.arange(len(raw)), np.asarray(raw), threads=1)
    for ef in (64, 256):
        setattr(index, "expansion_search", ef)  # noqa: B010 - its stubs say it is read-only
        yield (
            f"usearch HNSW f16, ef {ef}",
            lambda q: index.search(q, K, threads=1).keys.astype("i8"),
        )


def qdrant_edge(raw: Floats, root: Path) -> Iterator[tuple[str, Ask]]:
    import qdrant_edge as edge

    (root / "edge").mkdir()
    vector = edge.EdgeVectorParams(size=raw.shape[1], distance=edge.Distance.Dot)
    shard = edge.EdgeShard.create(str(root / "edge"), edge.EdgeConfig(vectors=vector))
    for start in range(0, len(raw), 2000):
        rows = raw[start : start + 2000].tolist()
        points = [edge.Point(n, row, {}) for n, row in enumerate(rows, start)]
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.flush()
    shard.optimize()
    for ef in (64, 256):

        def ask(query: Floats, ef: int = ef) -> NDArray[np.int64]:
            wanted = edge.QueryRequest(
                query=edge.Query.Nearest(query.tolist()),
                limit=K,
                params=edge.SearchParams(hnsw_ef=ef),
            )
            return np.array([int(point.id) for point in shard.query(wanted)], np.int64)

        yield f"Qdrant edge HNSW f32, ef {ef}", ask
    shard.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
