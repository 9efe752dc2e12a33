import csv
import unicodedata
from pathlib import Path

import pytest

from encoders.offline.build.concepts import TABLE, read_concepts
from encoders.offline.build.wordnet import WordNet

LANGUAGES = ["en", "zh", "ja", "ko", "ar", "ru", "es", "fr", "de", "it", "pt", "hi", "tr"]
SCRIPTS = {
    "zh": ("CJK",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ko": ("HANGUL",),
    "ar": ("ARABIC",),
    "ru": ("CYRILLIC",),
    "hi": ("DEVANAGARI",),
}


def table() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_thing_has_a_name_in_every_language() -> None:
    for row in table():
        assert list(row) == LANGUAGES
        for cell in row.values():
            assert all(name and name == name.strip() for name in cell.split("|")), row["en"]


def test_no_thing_stands_twice() -> None:
    things = [row["en"].split("|")[0] for row in table()]
    assert things == sorted(set(things))


@pytest.mark.parametrize("language", SCRIPTS)
def test_names_are_in_the_language_s_script(language: str) -> None:
    for row in table():
        letters = [char for char in row[language] if char.isalpha() and not char.isascii()]
        assert letters, row["en"]
        for letter in letters:
            assert unicodedata.name(letter).startswith(SCRIPTS[language]), (row["en"], letter)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_thing_has_each_name_once(language: str) -> None:
    for row in table():
        names = row[language].lower().split("|")
        assert len(names) == len(set(names)), row["en"]


def test_english_names_are_of_one_thing() -> None:
    """They say what is meant; in other languages a word may mean two things and pulls to both."""
    names = [name.lower() for row in table() for name in row["en"].split("|")]
    assert len(names) == len(set(names)), {name for name in names if names.count(name) > 1}


def test_names_of_several_things_are_few() -> None:
    for language in LANGUAGES[1:]:
        names = [name.lower() for row in table() for name in row[language].split("|")]
        assert len(names) - len(set(names)) < 0.03 * len(names), language


def test_concepts_of_both_sources_are_joined_by_their_english_name(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text(
        "00001930 03 n 01 physical_entity 0 000 | x\n"
        "00000010 05 n 01 cat 0 001 @ 00001930 n 0000 | x\n"
    )
    (tmp_path / "index.noun").write_text("cat n 1 1 @ 1 1 00000010\n")
    concepts = {concept.english: concept.names for concept in read_concepts(WordNet(tmp_path))}
    assert list(concepts) == sorted(concepts)
    assert {"cat", "кот", "кошка", "katze", "kater", "kucing", "ネコ"} <= set(concepts["cat"])
    assert "black cat" in concepts
    assert not {"cat face", "grinning cat", "flag: france"} & concepts.keys()


def test_the_table_s_meaning_of_a_name_goes_before_an_emoji_s(tmp_path: Path) -> None:
    """In French a lion is also the zodiac sign, in Turkish "kale" only ever a castle or fort."""
    (tmp_path / "data.noun").write_text(
        "00001930 03 n 01 physical_entity 0 000 | x\n"
        "00000010 05 n 02 lion 0 leo 0 001 @ 00001930 n 0000 | x\n"
    )
    (tmp_path / "index.noun").write_text("lion n 1 1 @ 1 1 00000010\nleo n 1 1 @ 1 1 00000010\n")
    concepts = {concept.english: concept.names for concept in read_concepts(WordNet(tmp_path))}
    assert "lion" in concepts["lion"]
    assert "lion" not in concepts["leo"]
    assert [one for one, names in concepts.items() if "kale" in names] == ["castle", "fort"]
    assert all(one in names for one, names in concepts.items())
