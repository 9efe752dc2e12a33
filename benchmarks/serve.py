"""The service under load, beside its engine and a minimal Flask + FAISS server: one run, tables.

    OMP_NUM_THREADS=1 python -m benchmarks.serve [--seconds 4] [--peer PYTHON]
                                                 [--batching | --soak MINUTES]

The server runs on core 0, whoever asks on core 1 (`taskset`). `--peer` is the Python of an
environment with flask and faiss-cpu; without it that row is left out. `--batching` runs the part
that the last paragraph describes, alone. `--soak` does something else: mixed searches while photos
are ingested, and the memory of the server minute by minute.

Batching is measured with the tiny CLIP made as deep as InternVL's text tower: its forward
pass takes milliseconds, and for 64 texts little longer than for one, as on a device. The rates of
that encoder alone, by one text and by 64, say how much there is to gain. The server's own
processor time is told, too: it is what bounds one core, and other programs disturb it less.
"""

import argparse
import base64
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import transformers
from PIL import Image

from api.installation import Installation
from api.load import Connect, Load, posting, press
from api.settings import Settings
from benchmarks.million import memory
from encoders import load_encoder
from indexer import Point
from retrieval import Part, Query, Searcher
from tests.encoders.checkpoints import BUILDERS

SEARCH = "/v1/collections/default/search"
EXACT: dict[str, Any] = {"index_kind": "exact"}
"""From the first point on: what was sealed stays in use."""
HEAD = "| what | clients | answers/s | p50 ms | p99 ms | failed |\n|---|---|---|---|---|---|"
PEER = """
import sys, faiss, numpy
from flask import Flask, jsonify, request
rows = numpy.load(sys.argv[1])
index = faiss.IndexFlatIP(rows.shape[1]); index.add(rows); faiss.omp_set_num_threads(1)
app = Flask(__name__)
@app.post('/search')
def search():
    query = numpy.array([request.json['vector']], 'float32')
    scores, ids = index.search(query, 10)
    hits = zip(ids[0].tolist(), scores[0].tolist())
    return jsonify(hits=[{'id': i, 'score': s} for i, s in hits])
print('at http://127.0.0.1:%s/' % sys.argv[2], flush=True)
app.run(port=int(sys.argv[2]), threaded=True)
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--peer", help="Python of an environment with flask and faiss-cpu.")
    parser.add_argument("--batching", action="store_true", help="Only what batching gains.")
    parser.add_argument("--soak", type=float, help="Minutes of mixed load while ingesting.")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)})
    with tempfile.TemporaryDirectory() as folder:
        if asked.soak:
            soak(Path(folder), asked.soak)
        elif asked.batching:
            print(HEAD, flush=True)
            batching(Path(folder) / "deep", asked.seconds)
        else:
            clients(Path(folder), asked.seconds)
            overhead(Path(folder), asked.seconds, asked.peer)


def clients(folder: Path, seconds: float) -> None:
    """1 to 256 clients, texts and pictures, three encoders; and what batching gains."""
    BUILDERS["clip"](folder / "clip")
    print(f"{HEAD}", flush=True)
    for name in ("fake", "offline", str(folder / "clip")):
        data = folder / f"data-{Path(name).name}"
        filled(data, name, 1_000)
        with serving(data, name) as url:
            for kind, body in (("text", text), ("picture", picture)):
                for count in (1, 16, 64, 256):
                    load = press(posting(url, SEARCH, body), count, seconds)
                    told(f"{Path(name).name}, {kind}", load)
    batching(folder / "deep", seconds)


def batching(checkpoint: Path, seconds: float) -> None:
    """Texts of 64 clients one by one, and together; and the encoder without a service."""
    deepened(checkpoint)
    data = checkpoint.with_name("data-deep")
    filled(data, str(checkpoint), 1)
    os.sched_setaffinity(0, {0})
    alone = {batch: encoding(checkpoint, batch, seconds) for batch in (1, 64)}
    os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)})
    served, cost = {}, {}
    for batch in (1, 64):
        with serving(data, str(checkpoint), max_batch=batch) as url:
            begun = processor(SERVER)
            load = press(posting(url, "/v1/embeddings", words), 64, seconds)
            told(f"deep CLIP, embeddings, max_batch {batch}", load)
            served[batch] = load.rate
            cost[batch] = (len(load.took) + load.clients) / (processor(SERVER) - begun)
    for what, rates in (
        ("the encoder alone", alone),
        ("the service", served),
        ("the service, by its processor time", cost),
    ):
        print(
            f"\n{what}: {rates[1]:.0f} texts/s one by one, {rates[64]:.0f} in batches of 64, ",
            end="",
        )
        print(f"{rates[64] / rates[1]:.1f}x", flush=True)
    print()


def deepened(folder: Path) -> None:
    """The tiny CLIP with as many layers of text as QLLaMA has."""
    BUILDERS["clip"](folder)
    config = transformers.CLIPConfig.from_pretrained(folder)
    config.text_config.num_hidden_layers = 32
    transformers.CLIPModel(config).save_pretrained(folder)


def encoding(checkpoint: Path, batch: int, seconds: float) -> float:
    """Texts a second, so many at once."""
    encoder = load_encoder(str(checkpoint))
    texts = [words(number)["input"] for number in range(batch)]
    encoder.encode_texts(texts)
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        encoder.encode_texts(texts)
        count += batch
    return count / (time.perf_counter() - begun)


def overhead(folder: Path, seconds: float, peer: str | None) -> None:
    """What HTTP adds to the engine, in turns: a small collection, and a call of 10 ms and more."""
    print(HEAD, flush=True)
    for points in (1_000, 1_500_000):
        data = folder / f"data-{points}"
        rows = filled(data, "fake", points, **EXACT)
        settings = Settings(data=data, encoder="fake", **EXACT)
        with Installation(settings) as polylens, serving(data, "fake", **EXACT) as url:
            for _ in range(2):
                os.sched_setaffinity(0, {0})
                told(f"engine, {points:,} points", press(engine(polylens), 1, seconds))
                os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)})
                for count in (1, 64):
                    load = press(posting(url, SEARCH, vector), count, seconds)
                    told(f"HTTP, {points:,} points", load)
        if peer:
            np.save(folder / "rows.npy", rows)
            with running([peer, "-c", PEER, str(folder / "rows.npy"), "8765"]) as url:
                time.sleep(2)  # it tells its address before it listens
                for count in (1, 64):
                    load = press(posting(url, "/search", bare), count, seconds)
                    told(f"Flask + FAISS, {points:,} points", load)


def soak(folder: Path, minutes: float) -> None:
    """Text and picture searches and thumbnails from 8 clients, while photos come in."""
    filled(folder, "fake", 1_000)
    with serving(folder, "fake") as url:
        stop, uploaded, loads = threading.Event(), [0, 0], []

        def ingest() -> None:
            with httpx.Client(base_url=url, timeout=60) as client:
                while not stop.wait(0.2):
                    file = {"files": (f"{uploaded[0]}.jpg", photo(uploaded[0]))}
                    uploaded[0] += 1
                    try:
                        answer = client.post("/v1/collections/default/assets", files=file)
                    except httpx.TransportError:
                        uploaded[1] += 1
                    else:
                        uploaded[1] += answer.status_code != 200

        thread = threading.Thread(target=ingest)
        thread.start()
        print("| minute | answers | p50 ms | p99 ms | failed | uploads | own MiB | MiB mapped |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        for minute in range(1, round(minutes) + 1):
            load = press(posting(url, SEARCH, mixed), 8, 60)
            loads.append(load)
            cells = (minute, len(load.took), f"{load.milliseconds(50):.1f}")
            more = (f"{load.milliseconds(99):.1f}", sum(load.failed.values()), uploaded[0])
            print("|", " | ".join(map(str, (*cells, *more, memory(SERVER)))), "|", flush=True)
        stop.set()
        thread.join()
        print(f"\nfailed uploads: {uploaded[1]}")


def filled(data: Path, encoder: str, points: int, **settings: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    """Random unit vectors in the collection `default`."""
    with Installation(Settings(data=data, encoder=encoder, **settings)) as polylens:
        [(name, dim)] = list(polylens.encoder().info.vectors.items())[:1]
        rows = np.random.default_rng(0).normal(size=(points, dim)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        collection = polylens.create("default")
        for start in range(0, points, 5_000):
            collection.upsert(
                [
                    Point(UUID(int=start + n), f"a:{start + n}", {name: row}, {"kind": "image"})
                    for n, row in enumerate(rows[start : start + 5_000])
                ]
            )
        return rows


def engine(polylens: Installation) -> Connect:
    """The same search without HTTP."""
    searcher: Searcher = polylens.searcher("default")

    def call(number: int) -> int:
        part = Part(vector=np.array(bare(number)["vector"], np.float32))
        searcher.search(Query([part], group=False))
        return 200

    return lambda: contextlib.nullcontext(call)


def text(number: int) -> dict[str, Any]:
    return {"parts": [{"text": f"a red bicycle number {number}"}]}


def words(number: int) -> dict[str, Any]:
    return {"input": f"a photo of a cat number {number}", "encoding_format": "base64"}


def picture(number: int) -> dict[str, Any]:
    return {"parts": [{"image": base64.b64encode(photo(number % 16)).decode()}]}


def mixed(number: int) -> dict[str, Any]:
    return picture(number) if number % 4 == 0 else text(number)


def bare(number: int) -> dict[str, Any]:
    return {"vector": [((number * 31 + i * 17) % 97) / 97 + 0.01 for i in range(48)]}


def vector(number: int) -> dict[str, Any]:
    return {"parts": [bare(number)], "group": False}


def photo(number: int) -> bytes:
    """320 x 240 pixels of noise, as JPEG."""
    noise = np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((320, 240)).save(buffer, "JPEG")
    return buffer.getvalue()


@contextlib.contextmanager
def serving(data: Path, encoder: str, **settings: object) -> Iterator[str]:
    """`polylens serve` on core 0; its URL once the model is loaded."""
    more = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    flags = ["--data", str(data), "--encoder", encoder, "--port", "0", *more]
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve", *flags]
    with running(command) as url:
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.1)
        yield url


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[str]:
    """A server on core 0 that prints its address; ended with the context."""
    global SERVER
    everything = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    pinned = ["taskset", "-c", "0", *command]
    with subprocess.Popen(
        pinned, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=everything
    ) as process:
        SERVER = process.pid
        assert process.stdout
        found = re.search(r"http://[\w.:]+", process.stdout.readline())
        assert found, "the server did not start"
        try:
            yield found[0]
        finally:
            process.terminate()


SERVER = 0


def processor(process: int) -> float:
    """Seconds of the processor that it has used."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def told(what: str, load: Load) -> None:
    failed = sum(load.failed.values())
    times = f"{load.milliseconds(50):.1f} | {load.milliseconds(99):.1f}"
    print(f"| {what} | {load.clients} | {load.rate:.0f} | {times} | {failed} |", flush=True)


if __name__ == "__main__":
    main()
