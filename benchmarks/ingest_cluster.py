"""What Ray costs: one folder of photos through `--engine local` and through `--engine ray`.

    python -m benchmarks.ingest_cluster [--photos 300] [--rounds 3]

Both fill a Qdrant server: that of the tests, in a process of its own. Ray is of this machine alone,
with two actors. It is started once, and told apart; what each job takes until its first file is
done, with Ray the start of its actors, is told apart, too. The engines take turns, files are in the
page cache, medians count. The encoder is `fake`, so that all the rest counts.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.ingest_media import save_photos
from encoders import LoadOptions
from encoders.fake import FakeEncoder
from indexer import Collection, Schema
from indexer.qdrant.store import QdrantStore
from ingestion import Progress, ingest, walk
from ingestion.cluster import open_fleet

SPAWN = get_context("spawn")
Run = Callable[[Collection], Iterable[Progress]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, server() as url:
        folder = Path(name) / "photos"
        save_photos(folder, options.photos, options.megapixels)
        store = QdrantStore(url, Path(name) / "data")
        start = time.perf_counter()
        with open_fleet("fake", LoadOptions(device="cpu,cpu")) as fleet:
            print(f"Ray was started in {time.perf_counter() - start:.1f} s\n")
            engines: dict[str, Run] = {
                "local": lambda collection: ingest(walk(folder), FakeEncoder(), collection),
                "ray": lambda collection: fleet.ingest(walk(folder), collection),
            }
            times = defaultdict(list)
            for _ in range(options.rounds):
                for engine, run in engines.items():
                    times[engine].append(measured(run, store, options.photos))
        store.close()
    print("| engine | s to the first file | s in all | images/s | images/s after the first |")
    print("|---|---|---|---|---|")
    for engine, found in times.items():
        first, whole = map(statistics.median, zip(*found, strict=True))
        rates = (options.photos / whole, (options.photos - 1) / (whole - first))
        print(f"| `{engine}` | {first:.2f} | {whole:.1f} | {rates[0]:.1f} | {rates[1]:.1f} |")


@contextmanager
def server() -> Iterator[str]:
    """The URL of a Qdrant server, for as long as the context lasts."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    yield ours.recv()
    ours.send(None)
    process.join()


def serve(connection: Connection) -> None:
    """Until something is said."""
    from tests.indexer.qdrant.loopback import loopback

    with loopback() as served:
        connection.send(served.url)
        connection.recv()


def measured(run: Run, store: QdrantStore, count: int) -> tuple[float, float]:
    """Seconds until the first file is done, and all."""
    info = FakeEncoder().info
    collection = store.create("photos", Schema(info.vectors, info.name, info.fingerprint))
    start, first, done = time.perf_counter(), 0.0, 0
    for step in run(collection):
        first = first or (time.perf_counter() - start if step.done else 0.0)
        done = step.done
    whole = time.perf_counter() - start
    if done != count:
        raise RuntimeError(f"{done} of {count} files were ingested")
    store.drop("photos")
    return first, whole


if __name__ == "__main__":
    main()
