"""WordNet's nouns, from the `data.noun` and `cntlist.rev` files of WordNet 3.0."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

    def common_things(self) -> list[str]:
        """Words whose first sense is a physical entity and occurs in the tagged texts, sorted."""
        first = self._first_senses()
        lines = (self._folder / "cntlist.rev").read_text("latin-1").splitlines()
        keys = (line.split(" ")[:2] for line in lines)
        tagged = (key.partition("%") for key, sense in keys if sense == "1")
        words = {word for word, _, rest in tagged if rest.startswith("1:") and word in first}
        return sorted(
            word.replace("_", " ")
            for word in words
            if PHYSICAL_ENTITY in self.ancestors(first[word])
        )

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
