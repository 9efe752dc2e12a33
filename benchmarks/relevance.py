"""How well relevance tells an answer from none, with the offline encoder over real photos.

    python -m benchmarks.relevance
    apt-get download tuxpaint-stamps-default && dpkg-deb -x tuxpaint-stamps-default_*.deb unpacked
    python -m benchmarks.relevance --stamps unpacked/usr/share/tuxpaint/stamps

Queries in 13 languages, each judged by the best hit's relevance: by the encoder's fixed threshold,
and by the collection's own background. The phrases of benchmarks/data over the photos that
scikit-image and scikit-learn ship. And, where Debian's `tuxpaint-stamps-default` is unpacked, the
names of its cut-out photos over random collections of them: a query without an answer is the name
of a photo that was left out, unless it shares a word with one that is there. The curve of
`retrieval.calibration` is fitted on every second name, which is shown, too; the others are asked
for, once all of them and once those alone that name something the encoder knows. That the right
photo comes first for no more than a share of the queries is the ceiling of any rule for the best
hit.
"""

import argparse
import re
import tempfile
from collections.abc import Collection as Some
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.offline_encoder import GALLERY, photo, read_phrases
from benchmarks.offline_words import SAME, Words
from encoders import Encoder, load_encoder
from encoders.offline.data import load_data
from indexer import Collection, LocalStore, Point, Schema, point_id
from retrieval import calibrate
from retrieval.relevance import GOOD, Relevance, relevance

Rows = NDArray[np.float32]

SIZES = (20, 60, 200)
TRIALS = 8
FITTED = 24  # random collections of each size that the curve is fitted on
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
class Case:
    """A collection and what is asked of it: cosines and what is right, `[texts, images]`.

    `names` are the English names of what the texts ask for.
    """

    size: int
    images: Rows
    names: list[str]
    texts: list[str]
    scores: Rows
    right: NDArray[np.bool_]


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
    print("collection            right first  answers kept  those right first  false alarms")
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(Path(folder))
        for title, judged in photos(store, encoder, held_out=False):
            report(title, judged)
        if stamps:
            deck = Deck(encoder, list(read_stamps(stamps)))
            asked = set(deck.names[1::2])
            for what, names in (("stamps", asked), ("stamps, known names", asked & deck.known())):
                for title, judged in cut_outs(store, encoder, deck, names, what):
                    report(title, judged)
            fit(store, encoder, deck)
        store.close()


class Deck:
    """The cut-out photos, embedded once, and random collections of them."""

    def __init__(self, encoder: Encoder, stamps: Sequence[Stamp]) -> None:
        self.names = sorted({stamp.name for stamp in stamps})
        self._of = np.array([stamp.name for stamp in stamps])
        self._images = encoder.encode_images([on_white(stamp.path) for stamp in stamps])["default"]
        self._asked = [pair for stamp in stamps for pair in _texts(stamp)]
        self._rows = encoder.encode_texts([text for _, text in self._asked])["default"]

    def cases(self, names: Some[str], trials: int = TRIALS, seed: int = 0) -> Iterator[Case]:
        """Random collections of each size, asked by those of the names that are fair."""
        random = np.random.default_rng(seed)
        for size in SIZES * trials:
            inside = set(random.choice(self.names, size, replace=False).tolist())
            kept = np.array([name in inside for name in self._of])
            fair = np.array([
                name in names and (name in inside or not _related(name, inside))
                for name, _ in self._asked
            ])  # fmt: skip
            asked = [one for one, take in zip(self._asked, fair, strict=True) if take]
            about, texts = [name for name, _ in asked], [text for _, text in asked]
            right = np.array(about)[:, None] == self._of[kept]
            images = self._images[kept]
            yield Case(size, images, about, texts, self._rows[fair] @ images.T, right)

    def known(self) -> set[str]:
        """The names of what the encoder has a node for, as benchmarks.offline_words decides it."""
        data = load_data()
        near = Words(data).whiten(self.names) @ data.space.nodes.T
        return {
            name for name, best in zip(self.names, near.max(axis=1), strict=True) if best > SAME
        }


def photos(store: LocalStore, encoder: Encoder, *, held_out: bool) -> Iterator[tuple[str, Judged]]:
    """The phrases, or those that are held out, over the photos of the packages."""
    images = encoder.encode_images([photo(name) for name in GALLERY])["default"]
    collection = store_images(store, encoder, images)
    queries = [query for query in read_phrases() if query.held_out or not held_out]
    texts = [query.text for query in queries]
    right = np.array([[name in query.photos for name in GALLERY] for query in queries])
    rows = encoder.encode_texts(texts)["default"]
    yield from judge("21 photos", collection, encoder, texts, rows @ images.T, right)


def cut_outs(
    store: LocalStore, encoder: Encoder, deck: Deck, names: Some[str], what: str
) -> Iterator[tuple[str, Judged]]:
    """Those names over random collections."""
    parts: dict[tuple[int, str], list[Judged]] = {}
    for case in deck.cases(names):
        collection = store_images(store, encoder, case.images)
        for how, judged in judge("", collection, encoder, case.texts, case.scores, case.right):
            parts.setdefault((case.size, how), []).append(judged)
    for (size, how), some in sorted(parts.items(), key=lambda part: part[0][0]):
        yield f"{size} {what}{how}", joined(some)


def fit(store: LocalStore, encoder: Encoder, deck: Deck) -> None:
    """Print the curve of `retrieval.calibration` as the other half of the names has it.

    Logistic regression of a right first answer against queries without an answer, both weighing
    the same, on how many spreads the best score lies above the median background.
    """
    from sklearn.linear_model import LogisticRegression

    above, first, names = [], [], deck.names[0::2]
    for case in deck.cases(names, FITTED, seed=1):
        collection = store_images(store, encoder, case.images)
        background = calibrate(collection, encoder).vectors["default"]
        best, answer = case.scores.max(axis=1), case.right.any(axis=1)
        right = case.right[np.arange(len(best)), case.scores.argmax(axis=1)]
        medians = np.array([background.median_of(text) for text in case.texts])
        above.append(((best - medians) / background.spread)[right | ~answer])
        first.append(right[right | ~answer])
    model = LogisticRegression(C=np.inf, class_weight="balanced")
    model.fit(np.concatenate(above)[:, None], np.concatenate(first))
    slope = float(model.coef_[0, 0])
    print(f"fitted: CENTRE {-float(model.intercept_[0]) / slope:.2f}, SLOPE {slope:.2f}")


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
    shares = [
        *(judged.first[judged.answer], good[judged.answer], good[judged.first]),
        good[~judged.answer],
    ]
    cells = "  ".join(f"{share.mean():.2f}" for share in shares)
    refused, kept = roc(judged.relevant, judged.answer)
    at = int(np.argmin(np.abs(refused - kept)))
    tenth = kept[refused >= 0.9].max(initial=0)
    print(f"{title:36} {cells}   balanced {kept[at]:.2f}   kept at .1 false alarms {tenth:.2f}")


def roc(
    relevant: NDArray[np.float64], answer: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For every bar: the share without an answer that is refused, and of answers kept."""
    bars = np.unique(relevant)
    refused = np.array([(relevant[~answer] < bar).mean() for bar in bars])
    kept = np.array([(relevant[answer] >= bar).mean() for bar in bars])
    return refused, kept


def store_images(store: LocalStore, encoder: Encoder, images: Rows) -> Collection:
    info = encoder.info
    made = store.create(
        f"images-{len(store.names())}", Schema(info.vectors, info.name, info.fingerprint)
    )
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
