"""WordNet's nouns, from the `data.noun` and `cntlist.rev` files of WordNet 3.0."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PHYSICAL_ENTITY = "00001930"


@dataclass(frozen=True)
class Synset:
    """One meaning: its words (lower case, with spaces) and the offsets of its hypernyms."""

    words: tuple[str, ...]
    hypernyms: tuple[str, ...]


class WordNet:
    """Noun synsets by 8-digit offset; the formats are those of wndb(5) and senseidx(5)."""

    def __init__(self, folder: Path) -> None:
        """Raises `OSError` where the files are not there."""
        self._folder = folder
        lines = (folder / "data.noun").read_text("latin-1").splitlines()
        self.synsets = dict(_parse(line) for line in lines if not line.startswith(" "))

    def ancestors(self, offset: str) -> set[str]:
        """Every synset above one, over all paths."""
        found: set[str] = set()
        waiting = list(self.synsets[offset].hypernyms)
        while waiting:
            above = waiting.pop()
            if above not in found:
                found.add(above)
                waiting.extend(self.synsets[above].hypernyms)
        return found

    def is_thing(self, word: str) -> bool:
        """Whether the most frequent sense of a noun is a physical entity."""
        offset = self._first_senses.get(word.replace(" ", "_"))
        return offset is not None and PHYSICAL_ENTITY in self.ancestors(offset)

    def common_things(self) -> list[str]:
        """Physical entities that occur in WordNet's tagged texts, sorted."""
        lines = (self._folder / "cntlist.rev").read_text("latin-1").splitlines()
        keys = (line.split(" ")[0].partition("%") for line in lines)
        words = {word.replace("_", " ") for word, _, sense in keys if sense.startswith("1:")}
        return sorted(word for word in words if self.is_thing(word))

    @cached_property
    def _first_senses(self) -> dict[str, str]:
        """Word -> the offset of its most frequent sense."""
        lines = (self._folder / "index.noun").read_text("latin-1").splitlines()
        fields = (line.split() for line in lines if not line.startswith(" "))
        return {entry[0]: entry[-int(entry[2])] for entry in fields}


def leaves_below(
    network: WordNet, leaves: Iterable[str], at_most: int
) -> Mapping[str, frozenset[int]]:
    """Each ancestor of a leaf -> positions of the leaves under it, where those are few enough."""
    below: dict[str, set[int]] = defaultdict(set)
    for position, leaf in enumerate(leaves):
        for ancestor in network.ancestors(leaf):
            below[ancestor].add(position)
    return {
        offset: frozenset(positions)
        for offset, positions in sorted(below.items())
        if len(positions) <= at_most
    }


def _parse(line: str) -> tuple[str, Synset]:
    fields = line.partition(" | ")[0].split(" ")
    words = 4 + 2 * int(fields[3], 16)
    pointers = words + 1
    hypernyms = [
        fields[at + 1]
        for at in range(pointers, pointers + 4 * int(fields[words]), 4)
        if fields[at] in ("@", "@i")
    ]
    names = tuple(word.replace("_", " ").lower() for word in fields[4:words:2])
    return fields[0], Synset(names, tuple(hypernyms))
