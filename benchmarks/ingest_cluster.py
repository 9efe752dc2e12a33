"""What Ray costs: one folder of photos through `--engine local` and through `--engine ray`.

    python -m benchmarks.ingest_cluster [--photos 600] [--rounds 3]

Both fill a Qdrant server: that of the tests, in a process of its own. Ray is of this machine alone,
with two actors. It is started once, and told apart; what each job takes until its first file is
done, with Ray the start of its actors, is told apart, too. After a quarter of the files all
processes are at work: a rate is told from there, and the processor time of the next half, for Ray
ends actors before the last file is told. The engines take turns, files are in the page cache,
medians count. The encoder is `fake`, so that all the rest counts.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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
TICKS = os.sysconf("SC_CLK_TCK")  # a second
ROLES = {
    "ingestion.worker": "decoders",
    "ray::MapWorker": "actors",
    "ray::Desk": "desk",
    "spawn_main": "Qdrant",
}
"""By what is in the command line of a process; the others below this one are Ray's own."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=600)
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
            runs = defaultdict(list)
            for _ in range(options.rounds):
                for engine, run in engines.items():
                    runs[engine].append(measured(run, store, options.photos))
        store.close()
    columns = list(dict.fromkeys(name for found in runs.values() for name in found[0]))
    print(f"| engine | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for engine, found in runs.items():
        medians = [statistics.median(one.get(name, 0) for one in found) for name in columns]
        print(f"| `{engine}` | {' | '.join(f'{median:.1f}' for median in medians)} |")


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


def measured(run: Run, store: QdrantStore, count: int) -> dict[str, float]:
    """Seconds, rates, and milliseconds of processor time for each photo, by role of process."""
    info = FakeEncoder().info
    collection = store.create("photos", Schema(info.vectors, info.name, info.fingerprint))
    quarter = count // 4
    start, marks = time.perf_counter(), list[tuple[float, defaultdict[str, float]]]()
    for step in run(collection):
        if len(marks) < 4 and step.done >= (1, quarter, 3 * quarter, count)[len(marks)]:
            marks.append((time.perf_counter() - start, processor_seconds()))
    whole = time.perf_counter() - start
    if len(marks) < 4:
        raise RuntimeError(f"fewer than {count} files were ingested")
    store.drop("photos")
    (first, _), (early, before), (_, after), (late, _) = marks
    spent = {role: 1000 * (after[role] - before[role]) / (2 * quarter) for role in after}
    return {
        "s to the first file": first,
        "s in all": whole,
        "images/s": count / whole,
        "images/s after a quarter": (count - quarter) / (late - early),
        "processor ms a photo": sum(spent.values()),
        **spent,
    }


def processor_seconds() -> defaultdict[str, float]:
    """What this process and those below it have used, by their role."""
    parents, seconds = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    sums = defaultdict[str, float](float)
    for process, used in seconds.items():
        if is_below(process, parents):
            sums[role_of(process)] += used
    return sums


def is_below(process: int, parents: dict[int, int]) -> bool:
    """Whether this process started it, or what did, and so on; it is below itself."""
    while process not in (os.getpid(), 0):
        process = parents.get(process, 0)
    return process != 0


def role_of(process: int) -> str:
    """In one word or two."""
    if process == os.getpid():
        return "command"
    command = ""
    with suppress(OSError):
        command = Path(f"/proc/{process}/cmdline").read_text()
    return next((role for part, role in ROLES.items() if part in command), "Ray's own")


if __name__ == "__main__":
    main()
