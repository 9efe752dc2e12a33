"""Beside clip-retrieval: the same photos, vectors and random weights, in one run; tables.

    python -m benchmarks.clip_retrieval PYTHON ingest [--photos 200] [--small]
    OMP_NUM_THREADS=1 python -m benchmarks.clip_retrieval PYTHON serve [--points 1000] [--seconds 2]

PYTHON is that of an environment of its own, made by

    python -m venv peer
    peer/bin/pip install clip-retrieval torch===2.13.0 torchvision==0.28.0
    peer/bin/pip install 'setuptools<70'

PyPI's torchvision does not load with a build of torch for the CPU, hence the `===`; and what it
needs imports `pkg_resources`, which the setuptools that torch asks for no longer has.

`ingest` compares whole commands; each is first given one photo, and the time that takes counts as
its start. `serve` compares servers on core 0, asked from core 1 as in serve.py, over exact indexes;
theirs is made by hand in the layout it reads. No text is asked twice, for ours remembers them.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import transformers
from numpy.typing import NDArray

from api.load import posting, press
from benchmarks.ingest_media import save_photos
from benchmarks.ingest_peer import save_clip
from benchmarks.serve import EXACT, HEAD, SEARCH, filled, running, serving, told
from indexer import LocalStore

MEGAPIXELS = 12
BATCH = 64
"""Images at once of the tuned run: enough of them for decoding and encoding to overlap."""
KNN = "/knn-service"
HITS = 10
VOCABULARY = """
import json
from clip.simple_tokenizer import SimpleTokenizer
tokenizer = SimpleTokenizer()
print(json.dumps([tokenizer.encoder, list(tokenizer.bpe_ranks)]))
"""

BACK = """
import sys
from clip_retrieval.clip_back import clip_back
print('at http://127.0.0.1:8765/', flush=True)
options = ('use_jit', 'enable_mclip_option', 'provide_aesthetic_embeddings')
clip_back(sys.argv[1], 8765, clip_model=sys.argv[2], **dict.fromkeys(options, False))
"""
PLAIN = {"modality": "image", "indice_name": "default", "deduplicate": False, "num_images": HITS}
Body = Callable[[int], dict[str, Any]]


def main() -> None:
    """Print one of the tables."""
    transformers.utils.logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="Python of an environment with clip-retrieval.")
    parser.add_argument("what", choices=("ingest", "serve"))
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--small", action="store_true", help="A small image tower, no ViT-B/32.")
    parser.add_argument("--points", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=2)
    asked = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # ours sets that one itself
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = save_clip(folder / "clip", small=asked.small or asked.what == "serve")
        save_tokenizer(checkpoint, asked.python)
        if asked.what == "ingest":
            ingestion(folder, checkpoint, asked.python, asked.photos)
        else:
            service(folder, checkpoint, asked.python, asked.points, asked.seconds)


def save_tokenizer(folder: Path, python: Path) -> None:
    """The one that theirs always uses."""
    printed = subprocess.check_output([python, "-c", VOCABULARY], cwd=folder)
    vocabulary, pairs = json.loads(printed)
    merges = [tuple(pair) for pair in pairs]
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    tokenizer.save_pretrained(folder)


def ingestion(folder: Path, checkpoint: Path, python: Path, photos: int) -> None:
    """Whole commands over the same files, and whether they come to the same vectors."""
    save_photos(folder / "1", 1, MEGAPIXELS)
    save_photos(folder / "all", photos, MEGAPIXELS)
    cores = os.cpu_count() or 1

    def ours(source: str) -> list[str]:
        command = [sys.executable, "-c", "from api.cli import main; main()", "ingest"]
        data = folder / f"data-{source}"
        return [*command, str(folder / source), "--data", str(data), "--encoder", str(checkpoint)]

    def theirs(source: str, *more: str) -> list[str]:
        command = [str(python.with_name("clip-retrieval")), "inference", str(folder / source)]
        output = str(folder / f"output-{source}")
        return [*command, output, "--clip_model", f"hf_clip:{checkpoint}", *more]

    def tuned(source: str) -> list[str]:
        return theirs(source, "--num_prepro_workers", str(cores), "--batch_size", str(BATCH))

    print("| what | start, s | all of it, s | images/s after the start |\n|---|---|---|---|")
    for name, command in (
        ("polylens", ours),
        (f"clip-retrieval, {cores} workers, batches of {BATCH}", tuned),
        ("clip-retrieval, its defaults: 4 workers, batches of 256", theirs),
    ):
        start, whole = timed(command("1")), timed(command("all"))
        rate = (photos - 1) / (whole - start)
        print(f"| {name} | {start:.1f} | {whole:.1f} | {rate:.1f} |", flush=True)
    a, b = our_rows(folder / "data-all"), their_rows(folder / "output-all")
    print(f"\ncosines of the two vectors of a photo: median {median_and_least(a, b)};")
    mean = (a + b).mean(axis=0) / 2
    apart = median_and_least(a - mean, b - mean)
    print(f"less the mean of all, so of what tells photos apart: {apart}")


def timed(command: list[str]) -> float:
    """Seconds of a whole process."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def our_rows(data: Path) -> NDArray[np.float32]:
    """The vectors of the photos, by their names."""
    collection = LocalStore(data).open("default")
    [name] = collection.schema.vectors
    records = collection.scroll(limit=collection.count(), with_vectors=[name]).records
    return np.stack([one.vectors[name] for one in sorted(records, key=lambda one: one.asset)])


def their_rows(output: Path) -> NDArray[np.float32]:
    """The same; it works through them sorted by name."""
    return np.asarray(np.load(output / "img_emb" / "img_emb_0.npy"), np.float32)


def median_and_least(a: NDArray[np.float32], b: NDArray[np.float32]) -> str:
    """Of the cosines of rows with like rows."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.einsum("ij,ij->i", a, b) / lengths
    return f"{np.median(cosines):.5f}, least {cosines.min():.5f}"


def service(folder: Path, checkpoint: Path, python: Path, points: int, seconds: float) -> None:
    """Answers to 1, 16 and 64 clients, by vector and by text, and whether both find the same."""
    config = transformers.CLIPConfig.from_pretrained(checkpoint)
    config.text_config.num_hidden_layers = 12  # as published
    transformers.CLIPModel(config).save_pretrained(checkpoint)
    rows = filled(folder / "data", str(checkpoint), points, **EXACT)
    save_index(folder / "index", rows)
    os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)})
    vectors: list[list[float]] = rows[:64].tolist()

    def new_text(number: int) -> str:
        return f"a red bicycle number {number}"

    def vector(number: int) -> list[float]:
        return vectors[number % len(vectors)]

    ours: dict[str, Body] = {
        "vector": lambda n: {"parts": [{"vector": vector(n)}], "group": False},
        "text": lambda n: {"parts": [{"text": new_text(n)}]},
    }
    bare = {"num_images": 0, "num_result_ids": HITS}
    theirs: dict[str, Body] = {
        "vector": lambda n: PLAIN | {"embedding_input": vector(n)},
        "vector, no metadata": lambda n: PLAIN | {"embedding_input": vector(n)} | bare,
        "text": lambda n: PLAIN | {"text": new_text(n)},
    }
    print(f"{points:,} points of {rows.shape[1]} dimensions\n\n{HEAD}", flush=True)
    with serving(folder / "data", str(checkpoint), **EXACT) as url:
        measure("polylens", url, SEARCH, ours, seconds)
        ask = {"parts": [{"text": "a red bicycle"}]}
        hits = httpx.post(f"{url}{SEARCH}", json=ask).json()["hits"]
        found = {hit["asset"] for hit in hits}
    with backing(folder / "index", python, checkpoint) as url:
        measure("clip-retrieval", url, KNN, theirs, seconds)
        hits = httpx.post(f"{url}{KNN}", json=PLAIN | {"text": "a red bicycle"}).json()
    same = found & {f"a:{hit['id']}" for hit in hits}
    print(f"\nthe same hits of a text: {len(same)} of {HITS}")


def measure(who: str, url: str, path: str, bodies: dict[str, Body], seconds: float) -> None:
    for kind, body in bodies.items():
        for count in (1, 16, 64):
            told(f"{who}, {kind}", press(posting(url, path, body), count, seconds))


def save_index(folder: Path, rows: NDArray[np.float32]) -> None:
    """A flat index and as much metadata as our points have, as its back end reads them."""
    (folder / "metadata").mkdir(parents=True)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    faiss.write_index(index, str(folder / "image.index"))
    captions = pa.table({"caption": ["image"] * len(rows)})
    pq.write_table(captions, folder / "metadata" / "metadata_0.parquet")
    (folder / "indices.json").write_text(json.dumps({"default": str(folder)}))


@contextlib.contextmanager
def backing(folder: Path, python: Path, checkpoint: Path) -> Iterator[str]:
    """Its back end on core 0; its URL once it answers."""
    command = [str(python), "-c", BACK, str(folder / "indices.json"), f"hf_clip:{checkpoint}"]
    with running(command) as url:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/indices-list").raise_for_status()
                break
            time.sleep(0.1)
        yield url


if __name__ == "__main__":
    main()
