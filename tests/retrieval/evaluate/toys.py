"""Small data sets in the public layouts, of plain colours: what the fake encoder tells apart."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.media import encoded, frames, plain, save_video

COLOURS = ("red", "green", "blue", "yellow", "cyan", "magenta")

Captions = Mapping[str, Sequence[str]]
"""Colour of an image -> its captions."""

RIGHT: Captions = {colour: [f"A {colour} picture.", f"all is {colour}!"] for colour in COLOURS}


def save_image(path: Path, colour: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(plain(colour), quality=95))
    return path


def flickr30k(root: Path, captions: Captions = RIGHT, language: str = "en") -> Path:
    name = {"en": "flickr30k_test_karpathy.txt", "zh": "flickr30k_cn_test.txt"}[language]
    lines = ["image,caption"]
    for colour, texts in captions.items():
        save_image(root / "Images" / f"{colour}.jpg", colour)
        lines += [f"{colour}.jpg,{text}" for text in texts]
    (root / name).write_text("\n".join(lines) + "\n", "utf-8")
    return root


def coco(root: Path, captions: Captions = RIGHT, language: str = "en") -> Path:
    name = {"en": "coco_test_karpathy.json", "zh": "coco-cn_test.json"}[language]
    below = "" if language == "en" else "val2014/"
    images, annotations = [], []
    for number, (colour, texts) in enumerate(captions.items()):
        save_image(root / "val2014" / f"{colour}.jpg", colour)
        images.append({"id": number, "file_name": f"{below}{colour}.jpg"})
        annotations += [{"image_id": number, "id": 0, "caption": text} for text in texts]
    (root / name).write_text(json.dumps({"images": images, "annotations": annotations}), "utf-8")
    return root


def xtd(root: Path, captions: Captions = RIGHT, language: str = "en") -> Path:
    paths = []
    for number, colour in enumerate(captions):
        folder = "val2014" if number % 2 else "train2014"
        save_image(root / folder / f"{colour}.jpg", colour)
        paths.append(f"{folder}/{colour}.jpg")
    content = {"image_paths": paths, "annotations": [texts[0] for texts in captions.values()]}
    code = "jp" if language == "ja" else language
    path = root / f"multilingual_mscoco_captions-{code}.json"
    path.write_text(json.dumps(content), "utf-8")
    return root


def crossmodal(root: Path, captions: Captions = RIGHT, language: str = "en") -> Path:
    lines = []
    for colour, texts in captions.items():
        save_image(root / "images" / f"{colour}.jpg", colour)
        lines.append(json.dumps({"image/key": colour, language: {"caption": list(texts)}}))
    (root / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    return root


def msrvtt(root: Path, captions: Captions = RIGHT) -> Path:
    """Returns the list of captions; the videos lie beside it."""
    rows = []
    root.mkdir(parents=True, exist_ok=True)
    for colour, texts in captions.items():
        save_video(root / f"{colour}.mp4", frames([colour], each=8))
        rows += [{"video": f"{colour}.mp4", "caption": text} for text in texts]
    path = root / "test.json"
    path.write_text(json.dumps(rows), "utf-8")
    return path


def folders(root: Path, names: Mapping[str, str], each: int = 2) -> Path:
    """Folder -> colour of its images; returns a file that names each folder by its colour."""
    for folder, colour in names.items():
        for number in range(each):
            save_image(root / folder / f"{number}.JPEG", colour)
    path = root.parent / "classes.txt"
    path.write_text("".join(f"{key}\t{name}\n" for key, name in names.items()), "utf-8")
    return path


def ade20k(root: Path, maps: Mapping[str, NDArray[np.uint8]]) -> Path:
    """Name of a picture -> its annotation `[height, width]` as stored; the pictures are noise."""
    images, annotations = root / "images" / "validation", root / "annotations" / "validation"
    for folder in (images, annotations):
        folder.mkdir(parents=True, exist_ok=True)
    for number, (name, annotation) in enumerate(maps.items()):
        noise = np.random.default_rng(number).integers(0, 256, (*annotation.shape, 3), np.uint8)
        Image.fromarray(noise).save(images / f"{name}.jpg", quality=95)
        Image.fromarray(annotation).save(annotations / f"{name}.png")
    return root
