"""Processes for several devices: what can travel to them, and what two of them gain over one.

    python -m benchmarks.workers [--rounds 9]

A tiny InternVL stands for a model whose time is Python's, kernel by kernel: its passes hold the
interpreter lock. Two threads with a copy each are what processes are compared with. All variants
alternate in one run on the same pixels; times are medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from encoders import LoadOptions, Pixels, load_encoder
from encoders.workers import WorkerEncoder
from encoders.workers.channel import receive, send
from encoders.workers.process import SPAWN

TINY = str(Path(__file__).parents[1] / "tests/data/internvl/tiny_internvl_14b")
BATCH = 64
SHAPES = {"InternVL, bytes": (224, 224, 3, np.uint8), "SigLIP, floats": (3, 224, 224, np.float32)}

Work = Callable[[], object]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args(arguments).rounds
    print("| one way through a pipe | ms a batch of 64 | images/s | GB/s |")
    print("|---|---|---|---|")
    for name, (*shape, dtype) in SHAPES.items():
        batch = [np.zeros(shape, dtype) for _ in range(BATCH)]
        seconds = travel(batch, rounds)
        size = sum(pixels.nbytes for pixels in batch) / 1e9
        print(f"| {name} | {1e3 * seconds:.1f} | {BATCH / seconds:.0f} | {size / seconds:.2f} |")
    print("\n| tiny InternVL, one image at a time | images/s | beside one thread |")
    print("|---|---|---|")
    times = gains(rounds)
    first = next(iter(times.values()))
    for name, seconds in times.items():
        print(f"| {name} | {BATCH / seconds:.0f} | {first / seconds:.2f}x |")


def travel(batch: list[Pixels], rounds: int) -> float:
    """Seconds for a batch to arrive in another process and be acknowledged."""
    ours, theirs = SPAWN.Pipe()
    listener = SPAWN.Process(target=listen, args=(theirs,), daemon=True)
    listener.start()

    def go() -> None:
        send(ours, batch)
        receive(ours)

    seconds = medians({"travel": go}, rounds)["travel"]
    listener.kill()
    return seconds


def listen(connection: Connection) -> None:
    while True:
        send(connection, len(receive(connection)))


def gains(rounds: int) -> dict[str, float]:
    """Seconds for the same images by one thread, two threads, one process and two."""
    options = LoadOptions(device="cpu", towers=frozenset({"image"}))
    copies = [load_encoder(TINY, options) for _ in range(2)]
    side = copies[0].preprocess(np.zeros((8, 8, 3), np.uint8)).shape
    pixels = [np.full(side, shade, np.uint8) for shade in range(BATCH)]

    def one_by_one(encoder: int, share: slice) -> None:
        for image in pixels[share]:
            copies[encoder].encode_pixels([image])

    def threads() -> None:
        halves = slice(0, BATCH // 2), slice(BATCH // 2, BATCH)
        list(pool.map(one_by_one, range(2), halves))

    with (
        ThreadPoolExecutor(2) as pool,
        closing(WorkerEncoder(TINY, LoadOptions(device="cpu"))) as single,
        closing(WorkerEncoder(TINY, LoadOptions(device="cpu,cpu"))) as double,
    ):
        single._share = double._share = 1
        return medians(
            {
                "one thread": partial(one_by_one, 0, slice(None)),
                "two threads": threads,
                "one process": partial(single.encode_pixels, pixels),
                "two processes": partial(double.encode_pixels, pixels),
            },
            rounds,
        )


def medians(work: dict[str, Work], rounds: int) -> dict[str, float]:
    """Median seconds of each, one after the other in every round, the first not counted."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


if __name__ == "__main__":
    main()
