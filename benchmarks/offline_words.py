"""What the offline encoder's dictionary is worth, word by word and without photos.

    OMP_NUM_THREADS=1 python -m benchmarks.offline_words

The gallery is 1000 made-up images, one for each class: features equal to the classifier's own row
for the class, logits that follow from it. They are the images that the classifier would be surest
of, so this measures the text side alone. A query is a name out of encoders/offline/build/names.tsv
whose thing is a class or a concept above classes, bare and inside "a photo of ..." in its language;
it is right where the first image is one of that thing. Each is asked three times: without a
dictionary, with one that lacks its thing (what to expect of words outside the table) and with the
whole one.
"""

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.base import unit
from encoders.offline.data import OfflineData, load_data
from encoders.offline.lexicon import Lexicon
from encoders.offline.network import open_network
from encoders.offline.text import open_model, prepare

Rows = NDArray[np.float32]

NAMES = Path(__file__).parents[1] / "encoders" / "offline" / "build" / "names.tsv"

EVERY = 4  # of the things is asked for; it takes a minute or two
SAME = 0.8  # cosine of an English name to the node that it names
WORDINGS = ("bare", "in a phrase")
CONTRAST = 12.0  # of the logits, about what real photos reach
PHRASES = {
    "en": "a photo of a {}",
    "zh": "{}的照片",
    "ja": "{}の写真",
    "ko": "{} 사진",
    "ar": "صورة {}",
    "ru": "фото {}",
    "es": "una foto de {}",
    "fr": "une photo de {}",
    "de": "ein Foto von {}",
    "it": "una foto di {}",
    "pt": "uma foto de {}",
    "hi": "{} की तस्वीर",
    "tr": "{} fotoğrafı",
}


@dataclass(frozen=True)
class Thing:
    """A row of the table: its names by language, its concept in the lexicon, its classes."""

    names: dict[str, list[str]]
    concept: int
    classes: NDArray[np.int64]

    def texts(self) -> list[str]:
        """By language, each name bare and then each in a phrase."""
        return [
            wording.format(name) if wording else name
            for language, names in self.names.items()
            for wording in ("", PHRASES[language])
            for name in names
        ]


def main() -> None:
    data = load_data()
    words = Words(data)
    things = list(read_things(data, words))[::EVERY]
    gallery = prototypes(data)
    print(f"{len(things)} things, R@1 over {len(gallery)} classes: bare names / in a phrase")
    print("language  without a dictionary  without its thing  whole dictionary")
    found = np.array([words.judge(thing, gallery) for thing in things])
    weights = np.array([[len(thing.names[one]) for one in PHRASES] for thing in things])
    totals = np.einsum("nlvp,nl->lvp", found, weights) / weights.sum(axis=0)[:, None, None]
    for language, row in zip(PHRASES, totals, strict=True):
        print(f"{language:9}" + "".join(f"{a:13.2f} / {b:.2f}" for a, b in row))
    mean = totals[1:].mean(axis=0)
    print("not en   " + "".join(f"{a:13.2f} / {b:.2f}" for a, b in mean))


class Words:
    """Texts to vectors, with other lexicons than the encoder's own; each text embedded once."""

    def __init__(self, data: OfflineData) -> None:
        self._data = data
        self._model = open_model()

    def whiten(self, texts: Sequence[str]) -> Rows:
        return self._data.whiten(self._model.query([prepare(text) for text in texts]))

    def project(self, whitened: Rows, lexicon: Lexicon | None) -> Rows:
        meanings = lexicon.pull(whitened) if lexicon else whitened
        return unit(self._data.space.describe_texts(meanings) @ self._data.projection)

    def judge(self, thing: Thing, gallery: Rows) -> NDArray[np.float64]:
        """R@1 `[languages, 3 dictionaries, 2 wordings]`."""
        whole = self._data.lexicon
        whitened = self.whiten(thing.texts())
        right = [
            np.isin((self.project(whitened, one) @ gallery.T).argmax(axis=1), thing.classes)
            for one in (None, without(whole, thing.concept), whole)
        ]
        ends = np.cumsum([len(names) for names in thing.names.values() for _ in WORDINGS])
        parts = np.split(np.stack(right), ends[:-1], axis=1)
        means = np.stack([part.mean(axis=1) for part in parts])
        return means.reshape(len(PHRASES), len(WORDINGS), len(right)).transpose(0, 2, 1)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_things(data: OfflineData, words: Words) -> Iterator[Thing]:
    rows = read_table(NAMES)
    leads = words.whiten([row["en"].split("|")[0] for row in rows])
    nodes, concepts = leads @ data.space.nodes.T, leads @ data.lexicon.meanings.T
    for row, near, concept in zip(rows, nodes, concepts.argmax(axis=1), strict=True):
        if near.max() > SAME:
            classes = np.flatnonzero(data.space.membership[near.argmax()])
            names = {language: row[language].split("|") for language in PHRASES}
            yield Thing(names, int(concept), classes)


def prototypes(data: OfflineData) -> Rows:
    """Vectors `[1000, 384]` of the made-up images."""
    rows = open_network().classifier._fc.weight.detach().numpy()
    centred = unit(unit(rows) - unit(rows).mean(axis=0))
    logits = np.float32(CONTRAST) * (centred @ centred.T)
    return unit(data.space.describe_images(logits, rows) @ data.projection)


def without(lexicon: Lexicon, concept: int) -> Lexicon:
    """The same dictionary as if one thing had never been in it."""
    kept = lexicon.concept != concept
    moved = np.cumsum(kept) - 1
    english = np.where(np.arange(len(lexicon.english)) == concept, 0, moved[lexicon.english])
    return dataclasses.replace(
        lexicon, keys=lexicon.keys[kept], concept=lexicon.concept[kept], english=english
    )


if __name__ == "__main__":
    main()
