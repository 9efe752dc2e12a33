"""COCO's 5000 test images of Karpathy's split, and the 1000 of COCO-CN.

ROOT/val2014/COCO_val2014_NUMBER.jpg
ROOT/coco_test_karpathy.json    COCO's own form: images (id, file_name), annotations (image_id,
                                caption); names are below val2014
ROOT/coco-cn_test.json          the same in Chinese; names begin with the folder
"""

from pathlib import Path
from typing import Any

from retrieval.evaluate.captions import clean
from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.layouts.files import read_json, unexpected

FILES = {"en": "coco_test_karpathy.json", "zh": "coco-cn_test.json"}
FOLDERS = {"en": "val2014", "zh": "."}


def file(root: Path, language: str) -> Path:
    """Where the captions in a language are."""
    return root / FILES[language]


def read(root: Path, language: str) -> Pairs:
    """Raises `InvalidDataset`."""
    path, folder = file(root, language), root / FOLDERS[language]
    content = read_json(path)
    try:
        captions = _captions(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unexpected(path, f"images and annotations as COCO has them ({error!r})") from error
    said = ((folder / name, texts) for name, texts in captions)
    return Pairs.of("coco", language, said, folder)


def _captions(content: Any) -> list[tuple[str, list[str]]]:  # noqa: ANN401 - JSON
    """File name and captions of each image, in order of the images' numbers."""
    said: dict[int, list[str]] = {image["id"]: [] for image in content["images"]}
    for annotation in content["annotations"]:
        said[annotation["image_id"]].append(clean(annotation["caption"]))
    images = sorted(content["images"], key=lambda image: int(image["id"]))
    return [(str(image["file_name"]), said[image["id"]]) for image in images]
