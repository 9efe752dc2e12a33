"""The offline encoder over the photos that scikit-image and scikit-learn ship: quality and speed.

    OMP_NUM_THREADS=1 python benchmarks/offline_encoder.py    # times on one core

Queries are all names of encoders/offline/build/names.tsv, in 13 languages. Which of its things are
to be seen in which photo was written down by looking; a query for any other thing should find
nothing. That few photos show trends, not percentages: docs/offline_encoder.md has the larger study.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from encoders import LoadOptions, load_encoder
from encoders.base import Encoder
from encoders.offline.encoder import MATCH_THRESHOLD

SHOWN = {
    "astronaut.png": ["person", "astronaut", "helmet", "flag", "rocket"],
    "camera.png": ["person", "camera", "tripod", "coat"],
    "chelsea.png": ["animal", "pet", "cat"],
    "china.jpg": ["building", "temple", "palace", "tower", "roof", "lake", "tree"],
    "coffee.png": ["coffee", "cup of coffee", "espresso", "drink", "cup", "spoon", "plate"],
    "coins.png": ["coin"],
    "flower.jpg": ["flower", "plant"],
    "horse.png": ["animal", "horse"],
    "motorcycle_left.png": ["motorcycle", "vehicle", "wheel", "machine"],
    "rocket.jpg": ["rocket"],
}
OTHERS = [
    *("brick.png", "clock_motion.png", "color.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "ihc.png", "moon.png", "page.png", "retina.jpg", "text.png"),
]
GALLERY = [*SHOWN, *OTHERS]
NAMES = Path(__file__).parents[1] / "encoders" / "offline" / "build" / "names.tsv"
FREE_QUERIES = [
    ("Dutch", "een kat", "chelsea.png"),
    ("Polish", "kot", "chelsea.png"),
    ("Swedish", "en katt som tittar", "chelsea.png"),
    ("Persian", "گربه", "chelsea.png"),
    ("Spanish", "una motocicleta roja", "motorcycle_left.png"),
    ("Ukrainian", "мотоцикл у гаражі", "motorcycle_left.png"),
    ("Vietnamese", "xe máy", "motorcycle_left.png"),
    ("Thai", "รถจักรยานยนต์", "motorcycle_left.png"),
    ("Indonesian", "secangkir kopi", "coffee.png"),
    ("Greek", "ένας καφές", "coffee.png"),
    ("Chinese", "一杯咖啡", "coffee.png"),
    ("Hebrew", "כוס קפה", "coffee.png"),
    ("English", "a pagoda by a lake", "china.jpg"),
    ("Czech", "chrám", "china.jpg"),
    ("French", "un homme avec un trépied", "camera.png"),
    ("Hindi", "तिपाई", "camera.png"),
    ("Bengali", "রকেট", "rocket.jpg"),
    ("Hungarian", "rakéta", "rocket.jpg"),
    ("English", "a violin", ""),
    ("German", "ein U-Boot", ""),
    ("Chinese", "飞机", ""),
    ("Dutch", "een vliegtuig", ""),
    ("Polish", "skrzypce", ""),
    ("Spanish", "un submarino", ""),
]


@dataclass(frozen=True)
class Query:
    language: str
    thing: str
    text: str


def main() -> None:
    encoder = load_encoder("offline")
    images = encoder.encode_images([photo(name) for name in GALLERY])["default"]
    queries = read_queries()
    scores = encoder.encode_texts([query.text for query in queries])["default"] @ images.T
    right = np.array([[q.thing in SHOWN.get(name, ()) for name in GALLERY] for q in queries])
    report_languages(queries, scores, right)
    report_threshold(scores, right)
    report_things(queries, scores, right)
    report_free(encoder, images)
    report_speed(encoder)


def photo(name: str) -> Image.Image:
    package = "sklearn.datasets.images" if name in ("china.jpg", "flower.jpg") else "skimage.data"
    with (files(package) / name).open("rb") as file:
        return Image.open(file).convert("RGB")


def read_queries() -> list[Query]:
    with NAMES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        Query(language, row["en"].split("|")[0], text)
        for row in rows
        for language, cell in row.items()
        for text in cell.split("|")
    ]


def ranks(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """1 + the number of photos before the best right one, for queries that have one."""
    best = np.where(right, scores, -1).max(axis=1, keepdims=True)
    ranked: NDArray[np.int64] = 1 + (scores > best).sum(axis=1)
    return ranked


def report_languages(
    queries: list[Query], scores: NDArray[np.float32], right: NDArray[np.bool_]
) -> None:
    answerable = right.any(axis=1)
    rank = ranks(scores, right)
    print(f"{answerable.sum()} queries with a right photo among {len(GALLERY)}, by language")
    print("language  queries    R@1    R@3")
    for language in dict.fromkeys(query.language for query in queries):
        chosen = answerable & np.array([query.language == language for query in queries])
        first, third = (rank[chosen] == 1).mean(), (rank[chosen] <= 3).mean()
        print(f"{language:8} {chosen.sum():8} {first:6.2f} {third:6.2f}")
    total = rank[answerable]
    print(f"all      {answerable.sum():8} {(total == 1).mean():6.2f} {(total <= 3).mean():6.2f}\n")


def report_threshold(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> None:
    answerable = right.any(axis=1)
    first = answerable & (ranks(scores, right) == 1)
    best = scores.max(axis=1)
    print("threshold  right answer found and kept  right first answer kept  false alarms")
    for threshold in (0.15, 0.20, MATCH_THRESHOLD, 0.30, 0.35, 0.40):
        kept = best >= threshold
        found = (first & kept).sum() / answerable.sum()
        mark = "  <- in use" if threshold == MATCH_THRESHOLD else ""
        print(
            f"{threshold:9.2f} {found:28.2f} {kept[first].mean():24.2f} "
            f"{kept[~answerable].mean():13.2f}{mark}"
        )
    print()


def report_things(
    queries: list[Query], scores: NDArray[np.float32], right: NDArray[np.bool_]
) -> None:
    rank = ranks(scores, right)
    best = np.where(right, scores, -1).max(axis=1)
    print("thing            names  R@1   mean cosine")
    for thing in sorted({thing for things in SHOWN.values() for thing in things}):
        chosen = np.array([query.thing == thing for query in queries])
        first = (rank[chosen] == 1).mean()
        print(f"{thing:16} {chosen.sum():5} {first:4.2f} {best[chosen].mean():8.2f}")
    print()


def report_free(encoder: Encoder, images: NDArray[np.float32]) -> None:
    texts = encoder.encode_texts([text for _, text, _ in FREE_QUERIES])["default"]
    print("language    query                        expected              rank  cosine  verdict")
    for (language, text, expected), scores in zip(FREE_QUERIES, texts @ images.T, strict=True):
        score = scores[GALLERY.index(expected)] if expected else scores.max()
        rank = str(1 + (scores > score).sum()) if expected else "-"
        verdict = "match" if scores.max() >= MATCH_THRESHOLD else "no good match"
        print(f"{language:11} {text:28} {expected:20} {rank:>5} {score:7.2f}  {verdict}")
    print()


def report_speed(encoder: Encoder) -> None:
    picture = photo("china.jpg")
    pixels = [encoder.preprocess(picture)] * 32
    bf16 = load_encoder("offline", LoadOptions(dtype="bfloat16"))
    print(f"threads:            {torch.get_num_threads()}")
    print(f"one text:           {1e3 * best_of(lambda: encoder.encode_texts(['a cat'])):.1f} ms")
    batch = best_of(lambda: encoder.encode_texts(["a cat"] * 64))
    print(f"text in a batch:    {1e3 * batch / 64:.1f} ms")
    print(f"preprocess 640x427: {1e3 * best_of(lambda: encoder.preprocess(picture)):.1f} ms")
    print(f"images, float32:    {32 / best_of(lambda: encoder.encode_pixels(pixels)):.0f} a second")
    print(f"images, bfloat16:   {32 / best_of(lambda: bf16.encode_pixels(pixels)):.0f} a second")


def best_of(action: Callable[[], object], times: int = 9) -> float:
    """The shortest time of several, in seconds; one call before goes untimed."""
    action()
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        spent.append(time.perf_counter() - start)
    return min(spent)


if __name__ == "__main__":
    main()
