"""The concepts of the dictionary: emoji names from the Unicode CLDR, and our own table."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import emoji
from emoji import config

from encoders.offline.build.wordnet import WordNet

LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")
TABLE = Path(__file__).parent / "names.tsv"
SKIN_TONES_AND_FLAGS = frozenset(
    chr(code) for code in (*range(0x1F3FB, 0x1F400), *range(0x1F1E6, 0x1F200), 0xE0067, 0x20E3)
)
PEOPLE = frozenset("👨👩🧑👦👧👫👬👭👯💏💑👪♀♂👮💂👷")
NO_THINGS = """
    anger angry arrow button circle crying diamond exclamation face grinning hand hands heart hearts
    index keycap kissing mark no o’clock one person question sign smiling square suit symbol thirty
    thumbs
"""


@dataclass(frozen=True)
class Concept:
    """An English name and all names of the thing, the English ones among them, sorted."""

    english: str
    names: tuple[str, ...]


def read_concepts(network: WordNet) -> list[Concept]:
    """Visible things of both sources, ordered by English name; same English name, one concept.

    A name that the table has means what the table says: emoji that share it lose it. A name of
    several rows belongs to each of them, and pulls a text to all.
    """
    names = _read_table()
    ours = frozenset().union(*names.values())
    for english, spoken in _read_emoji(network).items():
        names[english] |= {english} | (spoken - ours)
    return [Concept(english, tuple(sorted(names[english]))) for english in sorted(names)]


def _read_table() -> dict[str, set[str]]:
    """A row is a concept, a column a language, `|` parts synonyms; the first English name leads."""
    names: dict[str, set[str]] = defaultdict(set)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            english = row["en"].partition("|")[0].lower()
            for cell in row.values():
                names[english].update(cell.lower().split("|"))
    return names


def _read_emoji(network: WordNet) -> dict[str, set[str]]:
    config.load_language(list(LANGUAGES))
    names: dict[str, set[str]] = defaultdict(set)
    for characters, entry in emoji.EMOJI_DATA.items():
        english = _plain(entry["en"])
        if _is_thing(characters, english, network):
            names[english].update(_plain(entry[code]) for code in LANGUAGES if code in entry)
    return names


def _plain(name: str) -> str:
    return name.strip(":").replace("_", " ").lower()


def _is_thing(characters: str, english: str, network: WordNet) -> bool:
    """Whether an emoji stands for a visible thing: no face, flag, person or sign."""
    if (SKIN_TONES_AND_FLAGS | PEOPLE) & set(characters):
        return False
    words = english.replace("-", " ").split()
    if set(NO_THINGS.split()) & set(words):
        return False
    return network.is_thing(english) or network.is_thing(words[-1])
