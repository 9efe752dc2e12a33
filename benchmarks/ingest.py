"""Ingesting photos and films, beside its stages alone and beside what one would write oneself.

    python -m benchmarks.ingest [--photos 200] [--films 4] [--rounds 3] [--workers N] [--only ...]

One run, one table. The stages are decode-only (read, decode, `preprocess`, in the same number of
threads) and encode-only (`encode_pixels` of as many pixels in the same batches). The peer is a
torch DataLoader and a loop over the same `transformers` model, on the same files (ingest_peer.py).
All take turns, so that noise of the machine hits all alike; files are in the page cache, medians
count. Rates are photos, or seconds of film, for each second.

The target is 0.90 of the slower stage. Where the encoder runs on the CPU its stages share the
cores, and the true ceiling is the time that all cores together need for both: the last column.
`device` stands for an encoder elsewhere: it takes as long as decoding does, and no processor.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch loads

import transformers

from benchmarks.ingest_chart import print_chart
from benchmarks.ingest_media import save_films, save_photos
from benchmarks.ingest_peer import Films, Photos, run, save_clip
from encoders import Encoder, LoadOptions, Pixels, Vectors, load_encoder
from encoders.fake import FakeEncoder
from indexer import LocalStore, Schema
from ingestion import IngestOptions, Limits, VideoOptions, ingest, load_image, walk
from ingestion.formats import MP4
from ingestion.reading import input_side
from ingestion.segments import Clip

ENCODED = 64  # distinct inputs for encode-only, used over and over
CASES = ("fake", "device", "offline", "clip-small", "clip")
COLUMNS = (
    "decode-only",
    "encode-only",
    "ingest",
    "of the slower",
    "of all cores",
    "peer",
    "x peer",
)


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

    def rate(self, count: float) -> float:
        return count / statistics.median(self.clock)

    def cost(self, count: float) -> float:
        """Processor seconds for each unit."""
        return statistics.median(self.processor) / count


class Device(FakeEncoder):
    """An encoder that makes others wait, `seconds` for each picture, and takes no processor."""

    seconds = 0.0

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        time.sleep(self.seconds * len(pixels))
        return super().encode_pixels(pixels, normalize=normalize)


def main() -> None:
    """Print the tables and the chart."""
    transformers.utils.logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--films", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=IngestOptions().workers)
    parser.add_argument("--only", nargs="+", default=CASES, choices=CASES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = save_photos(folder / "photos", options.photos, options.megapixels) / 1e6
        print(f"{options.photos} JPEGs of {options.megapixels:g} MP, {size:.1f} MB each;", end=" ")
        if options.films:
            size = save_films(folder / "films", options.films, options.seconds) / 1e6
            print(f"{options.films} films of {options.seconds} s, 720p, {size:.1f} MB each;")
        print(f"{options.workers} decoding threads on {os.cpu_count()} cores\n")
        print(f"| what | encoder | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 2)}")
        for what in ("photos", "films") if options.films else ("photos",):
            for case in options.only:
                encoder, checkpoint = loaded(case, folder)
                one = Comparison(encoder, checkpoint, folder, what, options)
                print(f"| {what} | `{case}` | {one.row(options.rounds)} |", flush=True)
        print()
        print_chart(loaded(options.only[-1], folder)[0], sorted((folder / "photos").iterdir())[:64])


def loaded(case: str, folder: Path) -> tuple[Encoder, Path | None]:
    """The encoder of a case, and the checkpoint that the peer shares with it."""
    if case == "device":
        return Device(), None
    if not case.startswith("clip"):
        return load_encoder(case), None
    checkpoint = folder / case
    if not checkpoint.exists():
        save_clip(checkpoint, small=case == "clip-small")
    return load_encoder(str(checkpoint), LoadOptions(towers=frozenset({"image"}))), checkpoint


class Comparison:
    """One encoder over photos or films: its stages, the whole and the peers."""

    def __init__(
        self,
        encoder: Encoder,
        checkpoint: Path | None,
        folder: Path,
        what: str,
        options: argparse.Namespace,
    ) -> None:
        self._encoder = encoder
        self._checkpoint = checkpoint
        self._folder = folder
        self._what = what
        self._options = options
        self._media = folder / what
        self._paths = sorted(self._media.iterdir())
        self._side = input_side(encoder.preprocess)
        self._data = Path(tempfile.mkdtemp(dir=folder))
        self._runs = 0
        self._pixels = list(self._decoded(self._paths[0]))
        if what == "photos":
            self._pixels = [one for path in self._paths[:ENCODED] for one in self._decoded(path)]
        frames = sum(len(list(self._decoded(path))) for path in self._paths[1:2])
        self._frames = len(self._paths) * (frames or 1)

    @property
    def units(self) -> float:
        """Photos, or seconds."""
        per_file = 1 if self._what == "photos" else self._options.seconds
        return len(self._paths) * per_file

    def row(self, rounds: int) -> str:
        """The table's cells."""
        stages = [Stage(self._decode), Stage(self._encode), Stage(self._ingest)]
        peers = [Stage(self._peer)] if self._checkpoint else []
        self._encoder.encode_pixels(self._pixels[:1])
        for number in range(rounds):
            if isinstance(self._encoder, Device) and number == 0:
                stages[0].measure()  # a device just as fast as the decoders: the hardest to feed
                self._encoder.seconds = stages[0].clock.pop() / self._frames
                stages[0].processor.clear()
            for stage in (*stages, *peers):
                stage.measure()
        decode, encode, whole = (stage.rate(self.units) for stage in stages)
        ceiling = (os.cpu_count() or 1) / (stages[0].cost(self.units) + stages[1].cost(self.units))
        cells = [f"{rate:.1f}" for rate in (decode, encode, whole)]
        cells += [f"**{whole / min(decode, encode):.2f}**", f"{whole / ceiling:.2f}"]
        peer = peers[0].rate(self.units) if peers else 0
        cells += [f"{peer:.1f}", f"**{whole / peer:.1f}**"] if peers else ["", ""]
        return " | ".join(cells)

    def _decoded(self, path: Path) -> Iterator[Pixels]:
        """What the encoder is given of a file."""
        if self._what == "photos":
            yield self._encoder.preprocess(load_image(path, target_size=self._side))
            return
        for image, _ in Clip(path, MP4, Limits(), VideoOptions()).frames():
            yield self._encoder.preprocess(image, "frame")

    def _decode(self) -> None:
        def all_of(path: Path) -> int:
            return sum(1 for _ in self._decoded(path))

        with ThreadPoolExecutor(self._options.workers) as pool:
            for _ in pool.map(all_of, self._paths):
                pass

    def _encode(self) -> None:
        size = self._encoder.info.batch_size
        for start in range(0, self._frames, size):
            batch = range(start, min(start + size, self._frames))
            pixels = [self._pixels[number % len(self._pixels)] for number in batch]
            self._encoder.encode_pixels(pixels, normalize=False)

    def _ingest(self) -> None:
        self._runs += 1
        info = self._encoder.info
        collection = LocalStore(self._data / str(self._runs)).create(
            "photos", Schema(info.vectors, info.name, info.fingerprint)
        )
        options = IngestOptions(workers=self._options.workers)
        for _ in ingest(walk(self._media), self._encoder, collection, options):
            pass
        if collection.ledger.counts()["done"] != len(self._paths):
            raise RuntimeError(f"not all of {len(self._paths)} files were ingested")
        collection.close()

    def _peer(self) -> None:
        assert self._checkpoint is not None
        kind = Photos if self._what == "photos" else Films
        data = kind(self._paths, self._checkpoint)
        size = self._encoder.info.batch_size
        run(data, self._checkpoint, self._data / "rows.npy", self._options.workers, size)


if __name__ == "__main__":
    main()
