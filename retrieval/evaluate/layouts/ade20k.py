"""ADE20K's 2000 validation images (Zhou et al. 2017), as the scene parsing challenge has them.

ROOT/images/validation/NAME.jpg
ROOT/annotations/validation/NAME.png    a byte for each pixel: a class, 1 to 150, or 0 for the rest
"""

from pathlib import Path

from retrieval.evaluate.dataset import Gaps, Mapped
from retrieval.evaluate.layouts.files import unexpected


def read(root: Path) -> Mapped:
    """Raises `InvalidDataset`."""
    images = _named(root / "images" / "validation", ".jpg")
    maps = _named(root / "annotations" / "validation", ".png")
    if not images.keys() & maps.keys():
        raise unexpected(
            root, "images/validation/NAME.jpg and annotations/validation/NAME.png, the same NAMEs"
        )
    gaps = Gaps()
    for name in sorted(images.keys() - maps.keys()):
        gaps.add("images without an annotation", images[name].name)
    for name in sorted(maps.keys() - images.keys()):
        gaps.add("annotations without an image", maps[name].name)
    both = sorted(images.keys() & maps.keys())
    listed = len(images.keys() | maps.keys())
    media, found = [images[name] for name in both], [maps[name] for name in both]
    return Mapped("ade20k", media, found, listed, gaps)


def _named(folder: Path, suffix: str) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob(f"*{suffix}")}
