"""Flickr30K, its 1000 test images of Karpathy's split, in English or Chinese.

ROOT/Images/NUMBER.jpg
ROOT/flickr30k_test_karpathy.txt    lines IMAGE.jpg,CAPTION after one of headings
ROOT/flickr30k_cn_test.txt          the same in Chinese
"""

from pathlib import Path

from retrieval.evaluate.captions import clean
from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.layouts.files import read_text, unexpected

FILES = {"en": "flickr30k_test_karpathy.txt", "zh": "flickr30k_cn_test.txt"}
MARK = ".jpg,"  # captions have commas too


def file(root: Path, language: str) -> Path:
    """Where the captions in a language are."""
    return root / FILES[language]


def read(root: Path, language: str) -> Pairs:
    """Raises `InvalidDataset`."""
    path = file(root, language)
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if number == 1 or not line.strip():
            continue
        image, found, caption = line.partition(MARK)
        if not found:
            raise unexpected(path, f"line {number} has no 'IMAGE.jpg,CAPTION'")
        captions.setdefault(f"{image.strip()}.jpg", []).append(clean(caption.strip()))
    folder = root / "Images"
    said = ((folder / name, texts) for name, texts in captions.items())
    return Pairs.of("flickr30k", language, said, folder)
