"""Data sets as the protocols see them, with their missing parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidDataset

NAMED = 3  # of what is missing, in a sentence


@dataclass
class Gaps:
    """What a data set should have and has not, by kind: its results are of the rest."""

    kinds: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        self.kinds.setdefault(kind, []).append(name)

    def sentences(self) -> list[str]:
        """One for each kind, with its number and a few names."""
        return [
            f"{len(names)} {kind}: {', '.join(names[:NAMED])}{', ...' * (len(names) > NAMED)}"
            for kind, names in self.kinds.items()
        ]


@dataclass(frozen=True)
class Pairs:
    """Images or videos and the captions of each; all `media` exist and have a caption.

    `owner[i]` is the position in `media` of what `texts[i]` describes. `listed` is how many files
    the data set names.
    """

    name: str
    language: str
    media: Sequence[Path]
    texts: Sequence[str]
    owner: NDArray[np.int64]
    listed: int
    gaps: Gaps

    @classmethod
    def of(
        cls, name: str, language: str, captions: Iterable[tuple[Path, Sequence[str]]], where: Path
    ) -> "Pairs":
        """From each file's captions; missing files and captions become gaps.

        Raises `InvalidDataset` naming the folder `where` if nothing is left.
        """
        media: list[Path] = []
        texts: list[str] = []
        owner: list[int] = []
        gaps = Gaps()
        listed = 0
        for path, said in captions:
            listed += 1
            given = [text for text in said if text.strip()]
            for _ in range(len(said) - len(given)):
                gaps.add("empty captions", path.name)
            if not given:
                gaps.add("files without a caption", path.name)
            elif not path.is_file():
                gaps.add("files missing", path.name)
            else:
                owner += [len(media)] * len(given)
                texts += given
                media.append(path)
        if not media:
            raise InvalidDataset(f"nothing of {name} is in {where}: {'; '.join(gaps.sentences())}")
        return cls(name, language, media, texts, np.array(owner), listed, gaps)

    def only(self, kept: NDArray[np.bool_]) -> "Pairs":
        """Without the media that are not `kept` `[media]`, and their captions."""
        moved = np.cumsum(kept) - 1
        said = np.flatnonzero(kept[self.owner]).tolist()
        return replace(
            self,
            media=[path for path, keep in zip(self.media, kept, strict=True) if keep],
            texts=[self.texts[at] for at in said],
            owner=moved[self.owner[said]],
        )


@dataclass(frozen=True)
class Labelled:
    """Images and the class of each: `targets[i]` is a position in `words`.

    `passed` counts what the layout has no partner for, and means to have none.
    """

    name: str
    language: str
    media: Sequence[Path]
    targets: NDArray[np.int64]
    words: Sequence[str]
    listed: int
    gaps: Gaps
    passed: Mapping[str, int] = field(default_factory=dict)

    def only(self, kept: NDArray[np.bool_]) -> "Labelled":
        """Without the images that are not `kept` `[media]`."""
        media = [path for path, keep in zip(self.media, kept, strict=True) if keep]
        return replace(self, media=media, targets=self.targets[kept])


@dataclass(frozen=True)
class Mapped:
    """Images and for each a picture of the same size whose pixel values are classes."""

    name: str
    media: Sequence[Path]
    maps: Sequence[Path]
    listed: int
    gaps: Gaps
