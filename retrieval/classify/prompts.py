"""Prompt templates that turn a class name into a caption.

Averaging the vectors of many is the protocol of CLIP (Radford et al. 2021, section 3.1.4). The
sentences are our own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from encoders import EncoderInfo
from retrieval.classify.lines import read_lines
from retrieval.errors import InvalidClasses

PLACE = "{c}"
NOTHING = {"en": "something", "zh": "东西", "ja": "何か", "ar": "شيء", "it": "qualcosa"}
"""Language -> a word for no class at all."""
LANGUAGES = tuple(NOTHING)
FOLDER = Path(__file__).parent / "templates"
MAX_TEMPLATES = 500
MAX_TEMPLATE = 512  # characters


@dataclass(frozen=True)
class Prompts:
    """`templates` hold `{c}` where the class goes; `nothing` goes there to name no class."""

    templates: tuple[str, ...]
    nothing: str = NOTHING["en"]

    @classmethod
    def in_language(cls, language: str) -> Self:
        """Ours in "en", "zh", "ja", "ar" or "it" (a region, as in zh-TW, is passed over).

        Raises `InvalidClasses` naming those there are.
        """
        base = language.replace("_", "-").split("-")[0].lower()
        if base not in NOTHING:
            raise InvalidClasses(
                f"there are no prompt templates in {language!r}, only in {', '.join(LANGUAGES)}: "
                "give your own"
            )
        lines = read_lines(FOLDER / f"{base}.txt")
        return cls(tuple(line for _, line in lines), NOTHING[base])

    @classmethod
    def suited(cls, info: EncoderInfo, language: str) -> Self:
        """Those in a language, or names as they are for an encoder that needs no sentences."""
        found = cls.in_language(language)
        return found if info.needs_prompts else replace(found, templates=(PLACE,))

    @classmethod
    def of(cls, templates: Sequence[str]) -> Self:
        """A user's own; raises `InvalidClasses` where one has no `{c}`, or there is none."""
        return cls._checked(enumerate(templates, start=1), "template")

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a UTF-8 file, one a line; raises `InvalidClasses` naming the line."""
        return cls._checked(read_lines(path), f"{path}, line")

    def of_class(self, words: str) -> list[str]:
        """Every template with these words in it."""
        return [template.replace(PLACE, words) for template in self.templates]

    @classmethod
    def _checked(cls, templates: Iterable[tuple[int, str]], place: str) -> Self:
        texts = []
        for at, text in templates:
            if PLACE not in text:
                raise InvalidClasses(f"{place} {at}: {text[:80]!r} has no {PLACE} for the class")
            if len(text) > MAX_TEMPLATE:
                raise InvalidClasses(f"{place} {at} has more than {MAX_TEMPLATE} characters")
            texts.append(text.strip())
        if not 1 <= len(texts) <= MAX_TEMPLATES:
            raise InvalidClasses(f"give 1 to {MAX_TEMPLATES} templates, not {len(texts)}")
        return cls(tuple(texts))
