"""How well relevance tells an answer from none, with the offline encoder over real photos.

    python -m benchmarks.relevance [--stamps /usr/share/tuxpaint/stamps]

Two sets of queries in 13 languages, each judged by the best hit's relevance: by the encoder's fixed
threshold, and by the collection's own background. The phrases of benchmarks/data over the photos
that scikit-image and scikit-learn ship. And, where Debian's `tuxpaint-stamps-default` is unpacked,
the names of its cut-out photos over random collections of them: a query without an answer is the
name of a photo that was left out, unless it shares a word with one that is there. The curve of
`retrieval.calibration` was fitted on every second name; the others are shown.
"""

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.offline_encoder import GALLERY, photo, read_phrases
from encoders import Encoder, load_encoder
from indexer import Collection, LocalStore, Point, Schema, point_id
from retrieval import calibrate
from retrieval.relevance import GOOD, Relevance, relevance

Rows = NDArray[np.float32]

SIZES = (20, 60, 200)
TRIALS = 4
LANGUAGES = ("zh_CN", "ja", "ko", "ar", "ru", "es", "fr", "de", "it", "pt_BR", "hi", "tr")
NAME = re.compile(r"(?:An? |The )?([\w\- ’']{2,24})[.!]?")
PASSED_OVER = {"space", "seasonal", "symbols", "roadsigns", "flags", "cartoon"}


@dataclass(frozen=True)
class Judged:
    """For each query: its best score, its relevance, if there is an answer, if that came first."""

    scores: Rows
    relevant: NDArray[np.float64]
    answer: NDArray[np.bool_]
    first: NDArray[np.bool_]


@dataclass(frozen=True)
class Stamp:
    """A cut-out photo, its English name, and its names by language."""

    path: Path
    name: str
    names: dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stamps", type=Path)
    stamps = parser.parse_args().stamps
    encoder = load_encoder("offline")
    print("collection              answers kept  right first answers kept  false alarms")
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        for title, judged in photos(store, encoder, held_out=False):
            report(title, judged)
        if stamps:
            for title, judged in cut_outs(store, encoder, list(read_stamps(stamps))):
                report(title, judged)
        store.close()


def photos(store: LocalStore, encoder: Encoder, *, held_out: bool) -> Iterator[tuple[str, Judged]]:
    """The phrases, or those that are held out, over the photos of the packages."""
    images = encoder.encode_images([photo(name) for name in GALLERY])["default"]
    collection = store_images(store, encoder, "photos", images)
    queries = [query for query in read_phrases() if query.held_out or not held_out]
    texts = [query.text for query in queries]
    right = np.array([[name in query.photos for name in GALLERY] for query in queries])
    rows = encoder.encode_texts(texts)["default"]
    yield from judge("21 photos", collection, encoder, texts, rows @ images.T, right)


def cut_outs(
    store: LocalStore, encoder: Encoder, stamps: Sequence[Stamp]
) -> Iterator[tuple[str, Judged]]:
    """Every second name over random collections of the stamps."""
    images = encoder.encode_images([on_white(stamp.path) for stamp in stamps])["default"]
    names = sorted({stamp.name for stamp in stamps})
    asked = [(n, t) for s in stamps for n, t in _texts(s) if s.name in set(names[1::2])]
    rows = encoder.encode_texts([text for _, text in asked])["default"]
    random = np.random.default_rng(0)
    for size in SIZES:
        parts: dict[str, list[Judged]] = {}
        for trial in range(TRIALS):
            inside = set(random.choice(names, min(size, len(names)), replace=False).tolist())
            kept = np.array([stamp.name in inside for stamp in stamps])
            fair = np.array([n in inside or not _related(n, inside) for n, _ in asked])
            there = [stamp.name for stamp in stamps if stamp.name in inside]
            chosen = [one for one, take in zip(asked, fair, strict=True) if take]
            right = np.array([[n == name for name in there] for n, _ in chosen])
            collection = store_images(store, encoder, f"stamps-{size}-{trial}", images[kept])
            texts = [text for _, text in chosen]
            scores = rows[fair] @ images[kept].T
            for how, judged in judge("", collection, encoder, texts, scores, right):
                parts.setdefault(how, []).append(judged)
        for how, some in parts.items():
            yield f"{size} stamps{how}", joined(some)


def judge(
    title: str,
    collection: Collection,
    encoder: Encoder,
    texts: Sequence[str],
    scores: Rows,
    right: NDArray[np.bool_],
) -> Iterator[tuple[str, Judged]]:
    """By the threshold, then by the background."""
    best, answer = scores.max(axis=1), np.asarray(right.any(axis=1))
    first = right[np.arange(len(texts)), scores.argmax(axis=1)]
    background = calibrate(collection, encoder).vectors["default"]
    fixed = relevance(encoder.info) or Relevance(0)
    for how, curves in (
        ("threshold", [fixed] * len(texts)),
        ("background", [background.relevance(text) for text in texts]),
    ):
        likely = [curve.of(score) for curve, score in zip(curves, best.tolist(), strict=True)]
        yield f"{title}, {how}", Judged(best, np.array(likely), answer, first)


def joined(parts: Sequence[Judged]) -> Judged:
    names = ("scores", "relevant", "answer", "first")
    return Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def report(title: str, judged: Judged) -> None:
    """At a relevance of one half, and where as many answers are kept as others are refused."""
    good = judged.relevant >= GOOD
    shares = [good[judged.answer], good[judged.first], good[~judged.answer]]
    cells = "  ".join(f"{share.mean():.2f}" for share in shares)
    refused, kept = roc(judged.relevant, judged.answer)
    at = int(np.argmin(np.abs(refused - kept)))
    tenth = kept[refused >= 0.9].max(initial=0)
    print(f"{title:24} {cells}   balanced {kept[at]:.2f}   kept at .1 false alarms {tenth:.2f}")


def roc(
    relevant: NDArray[np.float64], answer: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every bar: the share without an answer that is refused, and of answers kept."""
    bars = np.unique(relevant)
    refused = np.array([(relevant[~answer] < bar).mean() for bar in bars])
    kept = np.array([(relevant[answer] >= bar).mean() for bar in bars])
    return refused, kept


def store_images(store: LocalStore, encoder: Encoder, name: str, images: Rows) -> Collection:
    info = encoder.info
    made = store.create(name, Schema(info.vectors, info.name, info.fingerprint))
    made.upsert([Point(point_id(str(n), "image"), str(n), {"default": row})
                 for n, row in enumerate(images)])  # fmt: skip
    return made


def read_stamps(root: Path) -> Iterator[Stamp]:
    """The photos among them that are named by one or two words."""
    for path in sorted(root.rglob("*.png")):
        text = path.with_suffix(".txt")
        if PASSED_OVER & set(path.relative_to(root).parts) or not text.exists():
            continue
        english, *lines = text.read_text("utf-8", errors="replace").splitlines()
        found = NAME.fullmatch(english.strip())
        if found and len(found[1].split()) <= 2:
            said = dict(line.split(".utf8=", 1) for line in lines if ".utf8=" in line)
            named = {one: said[one].strip().rstrip(".!。") for one in LANGUAGES if one in said}
            yield Stamp(path, found[1].lower(), {"en": english.strip().rstrip(".!"), **named})


def on_white(path: Path) -> Image.Image:
    picture = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture)
    return white.convert("RGB")


def _texts(stamp: Stamp) -> list[tuple[str, str]]:
    return [(stamp.name, text) for text in stamp.names.values() if 0 < len(text) < 30]


def _related(name: str, others: set[str]) -> bool:
    return any(set(name.split()) & set(other.split()) for other in others)


if __name__ == "__main__":
    main()
