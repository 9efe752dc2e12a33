from pathlib import Path

import pytest

from encoders.offline.build.wordnet import WordNet, leaves_below

DATA = """\
  1 a licence line, as in the real file
00001930 03 n 01 physical_entity 0 000 | what is
00000010 05 n 02 Cat 0 true_cat 1 002 @ 00000020 n 0000 ~ 00000099 n 0000 | purrs | and more
00000020 05 n 01 animal 0 001 @ 00001930 n 0000 | moves
00000030 05 n 01 pet 0 002 @ 00000020 n 0000 @i 00001930 n 0000 | is kept
00000040 06 n 01 idea 0 000 | is had
"""
INDEX = """\
  1 a licence line
cat n 2 1 @ 2 1 00000010 00000040
idea n 2 1 @ 2 1 00000040 00000010
true_cat n 1 1 @ 1 0 00000010
"""
COUNTS = "cat%1:05:00:: 1 18\nidea%1:06:00:: 1 5\ntrue_cat%1:05:00:: 1 1\nrun%2:38:00:: 1 100\n"


@pytest.fixture
def network(tmp_path: Path) -> WordNet:
    for name, text in (("data.noun", DATA), ("index.noun", INDEX), ("cntlist.rev", COUNTS)):
        (tmp_path / name).write_text(text, "latin-1")
    return WordNet(tmp_path)


def test_reads_words_and_hypernyms(network: WordNet) -> None:
    assert network.synsets["00000010"].words == ("cat", "true cat")
    assert network.ancestors("00000010") == {"00000020", "00001930"}
    assert network.ancestors("00000030") == {"00000020", "00001930"}


def test_leaves_below_leaves_out_what_is_too_broad(network: WordNet) -> None:
    leaves = ["00000010", "00000030", "00000020"]
    below = leaves_below(network, leaves, at_most=2)
    assert below == {"00000020": frozenset({0, 1})}


def test_common_things_are_physical(network: WordNet) -> None:
    assert network.common_things() == ["cat", "true cat"]
    assert not network.is_thing("idea")
    assert not network.is_thing("unheard of")
