"""The concepts of the dictionary: emoji names from the Unicode CLDR, and our own table."""

import csv
from dataclasses import dataclass
from pathlib import Path

import emoji
from emoji import config

LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")
TABLE = Path(__file__).parent / "names.tsv"
SKIN_TONES_AND_FLAGS = frozenset(
    chr(code) for code in (*range(0x1F3FB, 0x1F400), *range(0x1F1E6, 0x1F200), 0xE0067, 0x20E3)
)
PEOPLE = frozenset("👨👩🧑👦👧👫👬👭👯💏💑👪♀♂👮💂👷")
NO_THINGS = """
    anger angry arrow button circle crying diamond exclamation face grinning hand hands
    heart hearts index keycap kissing mark no o’clock one person question sign smiling square
    suit symbol thirty thumbs
"""


@dataclass(frozen=True)
class Concept:
    """An English name and, by language code, its names elsewhere; all lower case."""

    english: str
    foreign: dict[str, str]


def read_concepts() -> list[Concept]:
    """Concrete concepts of both sources, ordered by English name; the table's come first."""
    return [*_table(), *_emoji()]


def _table() -> list[Concept]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Concept(row.pop("en"), row) for row in rows]


def _emoji() -> list[Concept]:
    config.load_language(list(LANGUAGES))
    concepts = {}
    for characters, entry in emoji.EMOJI_DATA.items():
        english = _plain(entry["en"])
        if entry["status"] != emoji.STATUS["fully_qualified"] or not _is_thing(characters, english):
            continue
        foreign = {language: _plain(entry[language]) for language in LANGUAGES if language in entry}
        concepts[english] = Concept(english, foreign)
    return [concepts[english] for english in sorted(concepts)]


def _plain(name: str) -> str:
    return name.strip(":").replace("_", " ").lower()


def _is_thing(characters: str, english: str) -> bool:
    """Whether an emoji stands for a visible thing: no face, flag, person or sign."""
    if (SKIN_TONES_AND_FLAGS | PEOPLE) & set(characters):
        return False
    return not set(NO_THINGS.split()) & set(english.replace("-", " ").split())
