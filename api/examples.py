"""Read labelled folders into training examples for a probe."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from api.features import Feature, Features
from encoders import Encoder
from ingestion import Limits, walk
from retrieval.classify import Examples
from retrieval.errors import InvalidClasses


def read_examples(
    folder: Path, encoder: Encoder, vector: str, max_pixels: int
) -> tuple[Examples, list[Feature]]:
    """The examples in the folders of `folder`, each named by its label, and what was left out.

    Files of the same content are one example with all their labels. Raises `InvalidClasses`, and
    the errors of `walk`.
    """
    owners: defaultdict[str, set[str]] = defaultdict(set)
    paths: dict[str, Path] = {}
    for label, path in _labelled(folder):
        key = _content(path)
        owners[key].add(label)
        paths.setdefault(key, path)
    labels = sorted(set().union(*owners.values()))
    if not labels:
        raise InvalidClasses(f"{folder} has no folders of examples, one for each label")
    if empty := sorted(_folders(folder) - set(labels)):
        raise InvalidClasses(
            f"{folder} has no example of {', '.join(map(repr, empty))}: add some, or remove "
            "folders that are not labels"
        )
    features = Features(encoder, vector, "search", Limits(max_pixels=max_pixels))
    seen = list(zip(owners.values(), features.of(paths.values()), strict=True))
    used = [(owned, feature.row) for owned, feature in seen if feature.row is not None]
    if not used:
        raise InvalidClasses(f"no example in {folder} can be read")
    targets = np.array([[label in owned for label in labels] for owned, _ in used])
    rows = np.stack([row for _, row in used])
    return Examples(rows, labels, targets), [f for _, f in seen if f.row is None]


def _labelled(folder: Path) -> Iterator[tuple[str, Path]]:
    root = folder.resolve()
    for item in walk(folder):
        parts = item.path.relative_to(root).parts if item.path.is_relative_to(root) else ()
        if len(parts) > 1 and not item.skip:
            yield parts[0], item.path


def _folders(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}


def _content(path: Path) -> str:
    """A hash of the file; of its name where it cannot be read, which is told later."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(path)
