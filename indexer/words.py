"""The words of texts, as `Collection.find_text` compares them: the same for every engine.

Texts are folded (case, width, accents) and cut where Unicode says that a word ends. Scripts that
put no space between words are cut into letters and pairs of neighbouring letters, as Lucene's CJK
analyzer does, so that a word is found wherever it stands in a run.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from indexer.base import Payload

KEYS = ("text", "caption")
"""The payload fields whose words are found; each holds a text or a list of texts."""

MOST = 64
"""Words that a query may have; one of more finds nothing."""

MOST_FOUND = 10_000
"""Points that are looked at: where more have all the words, these tell little."""

_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670]")
_ASCII = re.compile("[a-z0-9]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


@dataclass(frozen=True)
class Words:
    """`held` are the words by which a payload is found, each once.

    `size` is how many words a query would have to ask for to ask for all of them.
    """

    held: tuple[str, ...]
    size: int

    def __bool__(self) -> bool:
        return bool(self.held)


def asked(text: str) -> list[str]:
    """The words that a query asks for, each once; [] where they are too many."""
    found = list(dict.fromkeys(_cut(_split(text), letters=False)))
    return found if len(found) <= MOST else []


def words_of(payload: Payload) -> Words:
    """Of the texts at `KEYS`."""
    words = [word for text in _texts(payload) for word in _split(text)]
    held = tuple(dict.fromkeys(_cut(words, letters=True)))
    return Words(held, len(set(_cut(words, letters=False))))


def _texts(payload: Payload) -> Iterator[str]:
    for key in KEYS:
        value = payload.get(key)
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, str):
                yield part


def _cut(words: Iterable[str], *, letters: bool) -> Iterator[str]:
    """The words, those of scripts that put no space between them in parts."""
    for word in words:
        end = 0
        for run in _UNSPACED.finditer(word):
            yield from filter(None, [word[end : run.start()]])
            yield from _pairs(run.group(), letters=letters)
            end = run.end()
        yield from filter(None, [word[end:]])


def _pairs(run: str, *, letters: bool) -> Iterator[str]:
    if letters or len(run) == 1:
        yield from run
    for first, second in pairwise(run):
        yield first + second


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", decomposed)).casefold()


def _split(text: str) -> list[str]:
    """Runs of letters, numbers and marks, folded."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    text = _folded(text)
    return "".join(
        letter if unicodedata.category(letter)[0] in "LNM" else " " for letter in text
    ).split()
