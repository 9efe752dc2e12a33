"""A bulk ingestion of very many assets: is time linear, memory flat, and a rerun quick?

    python -m benchmarks.million [--count 100000] [--kind texts|images] [--tenths 10]

The `fake` encoder takes no time worth speaking of, so this measures everything else: listing a
manifest (texts, JSONL) or shards (small JPEGs in WebDataset tars of 10,000), the ledger, commits,
sealing of segments and the list of jobs. Each line is a tenth of the run: its wall time, the
processor time of this process and of those it started that ended, which other work on the machine
does not change, the memory that it has then, and the most of their own that it and one that it
started had meanwhile. The rerun finds nothing to do; the time to see whether anything is gone is
told apart.
"""

import argparse
import io
import json
import os
import re
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from encoders.fake import FakeEncoder
from indexer import LocalCollection, LocalStore, Schema
from indexer.local.memory import share_heap
from ingestion import (
    IngestOptions,
    Journal,
    Seen,
    Source,
    SourceOptions,
    distinct,
    ingest,
    open_source,
)
from ingestion.gone import vanished

SHARD = 10_000  # members
PAUSE = 0.02  # seconds between two looks at the memory
HEAD = (
    "| seconds | assets/s | processor µs an asset | MiB | MiB mapped | most MiB "
    "| most MiB of a process it started |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--kind", choices=["texts", "images"], default="texts")
    parser.add_argument("--tenths", type=int, default=10)
    options = parser.parse_args()
    share_heap()  # as the command does
    with tempfile.TemporaryDirectory() as name:
        folder, data = Path(name), Path(name) / "data"
        make = save_texts if options.kind == "texts" else save_images
        sources = [open_source(str(path), SourceOptions()) for path in make(folder, options.count)]
        info = FakeEncoder().info
        schema = Schema(info.vectors, info.name, info.fingerprint)
        collection = LocalStore(data).create("million", schema)
        print(f"{options.count:,} {options.kind}\n")
        print(f"| assets {HEAD}")
        whole = run(sources, collection, data, options.count // options.tenths)
        size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
        print(
            f"\nall of it: {whole:.1f} s; {size / options.count:,.0f} bytes on the disk for each\n"
        )
        print(f"| rerun: assets {HEAD}")
        again = run(sources, collection, data, options.count // 2)
        print(f"\nall of it: {again:.1f} s, {whole / again:.0f} times as fast")
        if not collection.count() == collection.ledger.points() == options.count:
            raise RuntimeError(f"{collection.count()} points, {collection.ledger.points()} in rows")
        collection.close()


def run(sources: Sequence[Source], collection: LocalCollection, data: Path, step: int) -> float:
    """Ingest as the command does, printing a line every `step` assets; seconds for all."""
    needs = frozenset(tower for source in sources for tower in source.needs)
    options = replace(IngestOptions(), needs=needs)
    start = last = time.perf_counter()
    spent = processor()
    seen, settled = Seen(), 0
    items = distinct(chain.from_iterable(sources), seen)
    peak = Peak()
    with Journal(data).begin("million", [], {}, "fake") as job:
        for snapshot in job.noted(ingest(items, FakeEncoder(), collection, options)):
            now = snapshot.done + snapshot.unchanged + snapshot.skipped + snapshot.failed
            if now - settled >= step or snapshot.final:
                if now > settled:
                    seconds, work = time.perf_counter() - last, processor() - spent
                    each = f"{(now - settled) / seconds:,.0f} | {1e6 * work / (now - settled):.1f}"
                    print(
                        f"| {now:,} | {seconds:.1f} | {each} | {memory()} | {peak.take()} |",
                        flush=True,
                    )
                settled, last, spent = now, time.perf_counter(), processor()
    last, spent = time.perf_counter(), processor()
    if any(vanished(collection.ledger, sources, seen)):
        raise RuntimeError("something is gone")
    seen.close()
    seconds, work = time.perf_counter() - last, processor() - spent
    print(f"\nnothing is gone: {seconds:.1f} s, {1e6 * work / now:.1f} µs of processor an asset")
    return time.perf_counter() - start


def save_texts(folder: Path, count: int) -> list[Path]:
    """A manifest of `count` texts."""
    path = folder / "texts.jsonl"
    with path.open("w") as file:
        for number in range(count):
            row = {
                "id": f"item-{number}",
                "text": f"a caption of about eight words, number {number}",
            }
            file.write(json.dumps(row | {"year": 1990 + number % 35}) + "\n")
    return [path]


def save_images(folder: Path, count: int) -> list[Path]:
    """Shards that hold `count` JPEGs of 64 x 64 pixels, no two alike."""
    paths = [folder / f"shard-{start // SHARD:05d}.tar" for start in range(0, count, SHARD)]
    for number, path in enumerate(paths):
        with tarfile.open(path, "w") as archive:
            for name, data in pictures(number * SHARD, min(count, (number + 1) * SHARD)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return paths


def pictures(first: int, end: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes: one noisy picture, made different by a comment."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    data = buffer.getvalue()
    for number in range(first, end):
        text = f"picture {number}".encode()
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        yield f"{number:08d}.jpg", data[:2] + comment + data[2:]


class Peak:
    """The most memory of their own, MiB, that this process and one of its had, by looking often."""

    def __init__(self) -> None:
        self._most = self._others = 0
        threading.Thread(target=self._look, daemon=True).start()

    def take(self) -> str:
        """Since it was taken before."""
        taken = f"{self._most} | {self._others}"
        self._most = self._others = 0
        return taken

    def _look(self) -> None:
        while True:
            self._most = max(self._most, own())
            self._others = max([self._others, *map(own, started())])
            time.sleep(PAUSE)


def processor() -> float:
    """Seconds of this process, and of those it started, as they end."""
    return sum(os.times()[:4])


def started() -> list[str]:
    """The processes that this one has started."""
    with suppress(OSError):  # a thread that ended meanwhile
        lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
        return " ".join(lists).split()
    return []


def own(process: int | str = "self") -> int:
    """The memory of a process that is its own, MiB; 0 when it ended."""
    with suppress(OSError):
        return int(memory(process).partition(" ")[0] or 0)
    return 0


def memory(process: int | str = "self") -> str:
    """Of a process, in MiB: its own, and mapped files, which the system may take back."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.findall(r"^Rss(?:Anon|File):\s*(\d+) kB", status, re.MULTILINE)
    return " | ".join(f"{int(size) / 1024:.0f}" for size in found)


if __name__ == "__main__":
    main()
