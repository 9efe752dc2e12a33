"""The offline encoder over the photos that scikit-image and scikit-learn ship: quality and speed.

    OMP_NUM_THREADS=1 python -m benchmarks.offline_encoder    # times on one core

Two sets of queries, both in 13 languages. Phrases, as people type them, in benchmarks/data; they
were written without looking at what the encoder finds, and half of them have no answer. Names: all
of encoders/offline/build/names.tsv; which of its things are to be seen in which photo was written
down by looking, a query for any other thing should find nothing, and things about which one can
argue are left out. That few photos show trends, not percentages: docs/offline_encoder.md has the
larger study.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.offline_words import NAMES, Words, read_table
from encoders import LoadOptions, load_encoder
from encoders.base import Encoder
from encoders.offline.data import load_data
from encoders.offline.encoder import MATCH_THRESHOLD

Scores = NDArray[np.float32]

SHOWN = {
    "astronaut.png": ["person", "astronaut", "helmet", "flag", "rocket", "space shuttle"],
    "camera.png": ["person", "camera", "reflex camera", "tripod", "coat", "glove"],
    "chelsea.png": ["animal", "mammal", "pet", "cat", "tabby cat"],
    "china.jpg": ["building", "temple", "palace", "tower", "roof", "tile roof", "lake", "tree"],
    "clock_motion.png": ["clock", "wall clock"],
    "coffee.png": [
        *("coffee", "cup of coffee", "espresso", "drink", "cup", "coffee mug", "spoon", "plate"),
        *("tableware", "kitchen utensil"),
    ],
    "coins.png": ["coin"],
    "flower.jpg": ["flower", "plant"],
    "horse.png": ["animal", "mammal", "horse"],
    "motorcycle_left.png": ["motorcycle", "vehicle", "wheel"],
    "rocket.jpg": ["rocket"],
}
OTHERS = [
    *("brick.png", "color.png", "grass.png", "gravel.png"),
    *("hubble_deep_field.jpg", "ihc.png", "moon.png", "page.png", "retina.jpg", "text.png"),
]
GALLERY = [*SHOWN, *OTHERS]
ARGUABLE = [
    *("clothing", "crash helmet", "machine", "missile", "monastery", "moped", "monument"),
    *("primate", "shoe", "shrine", "stupa", "trousers", "uniform", "wall", "web page"),
]
PHRASES = Path(__file__).parent / "data" / "offline_queries.tsv"
OTHER_LANGUAGES = [
    ("Dutch", "een kat", "chelsea.png"),
    ("Polish", "kot", "chelsea.png"),
    ("Swedish", "en katt som tittar", "chelsea.png"),
    ("Persian", "گربه", "chelsea.png"),
    ("Ukrainian", "мотоцикл у гаражі", "motorcycle_left.png"),
    ("Vietnamese", "xe máy", "motorcycle_left.png"),
    ("Thai", "รถจักรยานยนต์", "motorcycle_left.png"),
    ("Indonesian", "secangkir kopi", "coffee.png"),
    ("Greek", "ένας καφές", "coffee.png"),
    ("Hebrew", "כוס קפה", "coffee.png"),
    ("Czech", "chrám", "china.jpg"),
    ("Bengali", "রকেট", "rocket.jpg"),
    ("Hungarian", "rakéta", "rocket.jpg"),
    ("Dutch", "een vliegtuig", ""),
    ("Polish", "skrzypce", ""),
]


@dataclass(frozen=True)
class Query:
    """A text and the photos that answer it; `held_out` from the choice of the threshold."""

    language: str
    thing: str
    text: str
    photos: tuple[str, ...]
    held_out: bool


def main() -> None:
    encoder = load_encoder("offline")
    words = Words(data := load_data())
    images = encoder.encode_images([photo(name) for name in GALLERY])["default"]
    for title, queries in (("Phrases", read_phrases()), ("Names", read_names())):
        texts = [query.text for query in queries]
        whitened = words.whiten(texts)
        scores = words.project(whitened, data.lexicon) @ images.T
        before = words.project(whitened, None) @ images.T
        right = np.array([[name in query.photos for name in GALLERY] for query in queries])
        print(
            f"{title}: {right.any(axis=1).sum()} with a right photo among {len(GALLERY)}, ", end=""
        )
        print(f"{(~right.any(axis=1)).sum()} without")
        report_languages(queries, before, scores, right)
        report_threshold(queries, scores, right)
    report_things(queries, scores, right)
    report_other_languages(encoder, images)
    report_speed(encoder)


def photo(name: str) -> Image.Image:
    package = "sklearn.datasets.images" if name in ("china.jpg", "flower.jpg") else "skimage.data"
    with (files(package) / name).open("rb") as file:
        return Image.open(file).convert("RGB")


def read_phrases() -> list[Query]:
    """Every cell of benchmarks/data/offline_queries.tsv."""
    queries = []
    for row in read_table(PHRASES):
        held_out, photos = (
            row.pop("split") == "test",
            tuple(filter(None, row.pop("photos").split(","))),
        )
        queries += [Query(one, row["en"], text, photos, held_out) for one, text in row.items()]
    return queries


def read_names() -> list[Query]:
    """Every name of the dictionary's table; every second thing is held out."""
    queries = []
    for number, row in enumerate(read_table(NAMES)):
        thing = row["en"].split("|")[0]
        photos = tuple(name for name, things in SHOWN.items() if thing in things)
        if thing not in ARGUABLE:
            queries += [
                Query(language, thing, text, photos, bool(number % 2))
                for language, cell in row.items()
                for text in cell.split("|")
            ]
    return queries


def ranks(scores: Scores, right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """1 + the number of photos before the best right one, for queries that have one."""
    best = np.where(right, scores, -1).max(axis=1, keepdims=True)
    ranked: NDArray[np.int64] = 1 + (scores > best).sum(axis=1)
    return ranked


def report_languages(
    queries: list[Query], before: Scores, scores: Scores, right: NDArray[np.bool_]
) -> None:
    """R@1 and R@3 by language, without and with the dictionary."""
    answerable = right.any(axis=1)
    languages = np.array([query.language for query in queries])
    groups = {one: languages == one for one in dict.fromkeys(languages)}
    groups["not en"] = languages != "en"
    print("language  queries  without a dictionary  with it   (R@1 / R@3)")
    for language, group in groups.items():
        chosen = answerable & group
        cells = "".join(
            f"{(rank == 1).mean():13.2f} / {(rank <= 3).mean():.2f}"
            for rank in (ranks(variant, right)[chosen] for variant in (before, scores))
        )
        print(f"{language:8} {chosen.sum():8}{cells}")
    print()


def report_threshold(queries: list[Query], scores: Scores, right: NDArray[np.bool_]) -> None:
    """What each threshold keeps and refuses, for the queries it was and was not chosen by."""
    answerable = right.any(axis=1)
    first = answerable & (ranks(scores, right) == 1)
    best = scores.max(axis=1)
    held_out = np.array([query.held_out for query in queries])
    print("threshold  kept of right first answers  false alarms   (chosen by / held out)")
    for threshold in (0.15, 0.20, 0.25, 0.30, 0.35, 0.40):
        kept = best >= threshold
        cells = "".join(
            f"{kept[group & ~held_out].mean():15.2f} / {kept[group & held_out].mean():.2f}"
            for group in (first, ~answerable)
        )
        print(f"{threshold:9.2f}{cells}{'  <- in use' * (threshold == MATCH_THRESHOLD)}")
    print()


def report_things(queries: list[Query], scores: Scores, right: NDArray[np.bool_]) -> None:
    rank = ranks(scores, right)
    best = np.where(right, scores, -1).max(axis=1)
    print("thing            names  R@1   mean cosine")
    for thing in sorted({thing for things in SHOWN.values() for thing in things}):
        chosen = np.array([query.thing == thing for query in queries])
        first = (rank[chosen] == 1).mean()
        print(f"{thing:16} {chosen.sum():5} {first:4.2f} {best[chosen].mean():8.2f}")
    print()


def report_other_languages(encoder: Encoder, images: Scores) -> None:
    texts = encoder.encode_texts([text for _, text, _ in OTHER_LANGUAGES])["default"]
    print("language    query                        expected              rank  cosine  verdict")
    for (language, text, expected), scores in zip(OTHER_LANGUAGES, texts @ images.T, strict=True):
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
