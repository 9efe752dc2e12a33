"""What the search by words costs beside the search by vectors, in one process.

    OMP_NUM_THREADS=1 python -m benchmarks.words [--rows 100000]

Made-up captions of ten words each, drawn from 20,000 by Zipf's law, with the vectors that the
`fake` encoder gives them. Each query is asked with words and without, in turn; read the ratio of
the medians.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from encoders.fake import FakeEncoder
from indexer import Collection, LocalStore, Point, Schema, point_id
from retrieval import Part, Query, Searcher

WORDS, EACH = 20_000, 10
BATCH = 2_000
ROUNDS = 60


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        encoder = FakeEncoder()
        info = encoder.info
        made = store.create("captions", Schema(info.vectors, info.name, info.fingerprint))
        fill(made, encoder, rows)
        searcher = Searcher(made, encoder)
        print(f"{rows:,} captions            found by words   without, ms   with words, ms   ratio")
        for title, text in queries():
            report(searcher, title, text)
        store.close()


def fill(collection: Collection, encoder: FakeEncoder, rows: int) -> None:
    random = np.random.default_rng(0)
    for start in range(0, rows, BATCH):
        drawn = np.minimum(random.zipf(1.2, (BATCH, EACH)), WORDS)
        texts = [" ".join(f"word{number}" for number in some) for some in drawn]
        vectors = encoder.encode_texts(texts)["default"]
        collection.upsert([
            Point(point_id(str(start + at), "image"), str(start + at), {"default": row},
                  {"kind": "image", "caption": text})
            for at, (text, row) in enumerate(zip(texts, vectors, strict=True))
        ])  # fmt: skip


def queries() -> list[tuple[str, str]]:
    return [
        ("no such word", "nothing"),
        ("a rare word", "word5000"),
        ("a common word", "word10"),
        ("the commonest", "word1"),
        ("two common words", "word3 word7"),
        ("four words", "word1 word2 word3 word4"),
    ]


def report(searcher: Searcher, title: str, text: str) -> None:
    plain = Query([Part(text=text)], words=False)
    worded = Query([Part(text=text)], explain=True)
    found = [s.count for s in searcher.search(worded).stages if s.name == "words"]
    spent = [
        (timed(lambda: searcher.search(plain)), timed(lambda: searcher.search(worded)))
        for _ in range(ROUNDS)
    ]
    without, with_words = np.median(np.array(spent), axis=0)
    ratio = with_words / without
    print(f"{title:20} {sum(found):15} {without:15.2f} {with_words:15.2f} {ratio:10.2f}")


def timed(action: Callable[[], object]) -> float:
    """In milliseconds of the processor."""
    start = time.process_time()
    action()
    return (time.process_time() - start) * 1e3


if __name__ == "__main__":
    main()
