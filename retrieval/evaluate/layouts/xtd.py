"""XTD10 (Aggarwal and Kale 2020, arXiv:2012.05107): 1000 COCO images, one caption a language.

ROOT/train2014/...jpg   ROOT/val2014/...jpg
ROOT/multilingual_mscoco_captions-LANGUAGE.json     image_paths and annotations, side by side
"""

from pathlib import Path

from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.layouts.files import read_json, unexpected

FILE = "multilingual_mscoco_captions-{}.json"
CODES = {"ja": "jp"}  # where the data set's own code is another


def file(root: Path, language: str) -> Path:
    """Where the captions in a language are."""
    return root / FILE.format(CODES.get(language, language))


def read(root: Path, language: str) -> Pairs:
    """Captions as they are: this protocol does not clean them. Raises `InvalidDataset`."""
    path = file(root, language)
    content = read_json(path)
    try:
        captions = [
            (root / str(image), [str(caption)])
            for image, caption in zip(content["image_paths"], content["annotations"], strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise unexpected(path, f"image_paths and annotations, equally many ({error!r})") from error
    return Pairs.of("xtd", language, captions, root)
