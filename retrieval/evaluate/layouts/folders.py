"""A folder of images for each class: ImageNet and its variants, and anything else in that form.

    ROOT/CLASS/...jpg       CLASS is a WordNet id, a number or a word; ROOT/val/CLASS also does

Classes come in the order of their folders' names, as numbers where all are. Their names come from a
file: one line for each folder in that order, or lines `CLASS<tab>name`; then lines without a folder
and folders without a line are passed over (ImageNet-A and -R have 200 of the 1000 classes, and of
ObjectNet's 313 folders 113 count).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrieval.errors import InvalidDataset
from retrieval.evaluate.dataset import Gaps, Labelled
from retrieval.evaluate.layouts.files import read_text, unexpected

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")


def read(
    root: Path, classes: Path, language: str, name: str, *, same_names: bool = False
) -> Labelled:
    """Raises `InvalidDataset`, also where two classes have one name unless `same_names`."""
    root = root / "val" if (root / "val").is_dir() else root
    folders = _folders(root)
    if not folders:
        raise unexpected(root, "a folder of images for each class")
    names = _names(classes, folders)
    used = [folder for folder in folders if folder in names]
    if not used:
        raise InvalidDataset(f"{classes} names none of the folders in {root}")
    words = [names[folder] for folder in used]
    if not same_names:
        _require_apart(words, classes)
    gaps = Gaps()
    media, targets = [], []
    for target, folder in enumerate(used):
        images = sorted(path for path in (root / folder).rglob("*") if _is_image(path))
        if not images:
            gaps.add("classes without an image", folder)
        media += images
        targets += [target] * len(images)
    if not media:
        raise InvalidDataset(f"there is no image in the folders of {root}")
    passed = {
        "folders passed over": len(folders) - len(used),
        "names passed over": len(names) - len(used),
    }
    there = {what: count for what, count in passed.items() if count}
    return Labelled(name, language, media, np.array(targets), words, len(media), gaps, there)


def _folders(root: Path) -> list[str]:
    try:
        names = [path.name for path in root.iterdir() if path.is_dir()]
    except OSError as error:
        raise InvalidDataset(f"{root} cannot be read: {error.strerror or error}") from error
    return sorted(names, key=int) if all(map(str.isdecimal, names)) else sorted(names)


def _names(path: Path, folders: Sequence[str]) -> dict[str, str]:
    """Folder -> class name."""
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    if any("\t" in line for line in lines):
        return _keyed(path, lines)
    if len(lines) != len(folders):
        raise unexpected(
            path,
            f"it has {len(lines)} names for {len(folders)} folders: write the folder's name and a "
            "tab before each",
        )
    return dict(zip(folders, map(str.strip, lines), strict=True))


def _keyed(path: Path, lines: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for line in lines:
        folder, _, name = (part.strip() for part in line.partition("\t"))
        if not (folder and name):
            raise unexpected(path, f"{line[:80]!r} is not 'folder<tab>name' like other lines")
        if folder in names:
            raise InvalidDataset(f"{path} names the folder {folder!r} twice")
        names[folder] = name
    return names


def _require_apart(words: Sequence[str], path: Path) -> None:
    twice = [word for word, count in Counter(map(str.casefold, words)).items() if count > 1]
    if twice:
        raise InvalidDataset(
            f"{path} gives several classes the name {', '.join(map(repr, twice[:5]))}: they cannot "
            "be told apart. Tell them apart, or pass --same-names to score them as they are (the "
            "public ImageNet list has two such pairs)"
        )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
