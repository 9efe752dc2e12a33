"""Crossmodal-3600 (Thapliyal et al. 2022, arXiv:2205.12522): 3600 photos in 36 languages.

ROOT/images/KEY.jpg
ROOT/captions.jsonl     lines {"image/key": KEY, LANGUAGE: {"caption": [...]}, ...}
"""

import json
from collections.abc import Iterator
from pathlib import Path

from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.layouts.files import read_text, unexpected

LANGUAGES = """
    ar bn cs da de el en es fa fi fil fr he hi hr hu id it ja ko mi nl no pl pt quz ro ru sv sw te
    th tr uk vi zh
""".split()  # noqa: SIM905 (a list of 36 words)


def file(root: Path, _language: str) -> Path:
    """Where the captions in a language are."""
    return root / "captions.jsonl"


def read(root: Path, language: str) -> Pairs:
    """All captions in the language, as they are. Raises `InvalidDataset`."""
    path, folder = file(root, language), root / "images"

    def captions() -> Iterator[tuple[Path, list[str]]]:
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            try:
                row = json.loads(line)
                yield (
                    folder / f"{row['image/key']}.jpg",
                    [*row.get(language, {}).get("caption", ())],
                )
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise unexpected(path, f"line {number} is not an image with captions") from error

    return Pairs.of("crossmodal3600", language, captions(), folder)
