"""Class lists: labels, and the names that prompts use for them."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from retrieval.classify.lines import read_lines
from retrieval.errors import InvalidClasses

MAX_CLASSES = 20_000
MAX_NAME = 256  # characters


@dataclass(frozen=True)
class ClassList:
    """`labels` are what an answer says; `words`, one for each, what stands in the prompts."""

    labels: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """From labels, each alone or with a tab and its words after it.

        Raises `InvalidClasses` for none, too many, empty or very long ones, and for duplicates.
        """
        return cls._checked(enumerate(names, start=1), "entry")

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a UTF-8 file, one a line; raises `InvalidClasses` naming the lines."""
        return cls._checked(read_lines(path), f"{path}, line")

    @classmethod
    def _checked(cls, names: Iterable[tuple[int, str]], place: str) -> Self:
        labels: dict[str, tuple[int, str]] = {}
        words: dict[str, tuple[int, str]] = {}
        for at, name in names:
            label, _, word = (unicodedata.normalize("NFC", part) for part in name.partition("\t"))
            _add(labels, label.strip(), at, place)
            _add(words, word.strip() or label.strip(), at, place)
        if not 1 <= len(labels) <= MAX_CLASSES:
            raise InvalidClasses(f"a class list has 1 to {MAX_CLASSES} classes, not {len(labels)}")
        return cls(tuple(s for _, s in labels.values()), tuple(s for _, s in words.values()))


def _add(seen: dict[str, tuple[int, str]], name: str, at: int, place: str) -> None:
    if not name:
        raise InvalidClasses(f"{place} {at}: the class has no name")
    if len(name) > MAX_NAME:
        raise InvalidClasses(f"{place} {at}: the name has more than {MAX_NAME} characters")
    first = seen.setdefault(name.casefold(), (at, name))
    if first[0] != at:
        raise InvalidClasses(
            f"{place} {at}: {name!r} is there already, at {first[0]}: leave one of them out"
        )
