"""Semantic segmentation by the public protocol, which is mmsegmentation's.

Class maps are compared at the picture's own size; what the annotation leaves open counts nowhere,
and areas are summed over all pictures before anything is divided.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders import InvalidInput
from encoders.fingerprint import digest, file_identity
from retrieval.errors import InvalidDataset
from retrieval.evaluate.dataset import Gaps, Mapped
from retrieval.evaluate.embeddings import Follow, unfollowed
from retrieval.evaluate.kept import Arrays, Kept
from retrieval.evaluate.published import Reference
from retrieval.evaluate.result import Result, Score

if TYPE_CHECKING:
    from encoders.heads.segmentation import Segmenter

CHUNK = 16  # pictures whose areas are kept together
OPEN = (0, 255)
"""Values of pixels that no class was given; class i of a model is written as i + 1."""
FAULTS = (
    "",
    "images unreadable",
    "annotations unreadable",
    "annotations that are not a class map",
    "annotations that differ in size from their image",
)
PROTOCOL = (
    "short side to the window's, sliding windows, logits averaged, argmax at the picture's own "
    "size; areas of all pictures together, pixels without a class left out"
)

Areas = NDArray[np.int64]
"""Pixels by class `[3, classes]`: of the class and found so, found so, of the class."""


class _Fault(Exception):
    """Why a picture cannot be scored: a position in `FAULTS`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.number = FAULTS.index(kind)


def evaluate_segmentation(
    mapped: Mapped,
    segmenter: "Segmenter",
    name: str,
    kept: Kept | None = None,
    follow: Follow = unfollowed,
) -> Result:
    """Mean intersection over union and accuracies of the segmenter, called `name`.

    Raises `InvalidDataset` if nothing can be scored, or the segmenter has other classes.
    """
    _require_classes(segmenter)
    kept = kept or Kept()
    pairs = list(zip(mapped.media, mapped.maps, strict=True))
    parts = []
    for start in range(0, len(pairs), CHUNK):
        some = pairs[start : start + CHUNK]
        files = [file_identity(file) for pair in some for file in pair]
        key = digest("areas", segmenter.identity, files)
        parts.append(kept.get(key, partial(_judge, some, segmenter)))
        follow("pictures", start + len(some), len(pairs))
    faults = np.concatenate([part["faults"] for part in parts])
    total = np.concatenate([part["areas"] for part in parts]).sum(axis=0)
    _tell(faults, mapped, mapped.gaps)
    if not total[2].any():
        said = "; ".join(mapped.gaps.sentences()) or "no pixel has a class"
        raise InvalidDataset(f"nothing of {mapped.name} can be scored: {said}")
    theirs = Reference.of_segmenter(name, mapped.name)
    return Result(
        dataset=mapped.name,
        language="-",
        encoder=name,
        vector="",
        protocol=PROTOCOL,
        counts={"images": int((faults == 0).sum()), "classes": int((total[2] > 0).sum())},
        scores=[
            Score(measure, 100 * value, theirs.numbers.get(measure))
            for measure, value in measures(total).items()
        ],
        gaps=[*mapped.gaps.sentences(), *theirs.doubts(mapped.listed)],
        reference=theirs.model,
        fingerprint={"segmenter": segmenter.identity},
    )


def measures(total: Areas) -> dict[str, float]:
    """mIoU, aAcc and mAcc, each 0 to 1.

    The mean is over the classes that occur, be it in the annotations or (IoU) in what was found.
    """
    right, found, there = total
    union = found + there - right
    return {
        "mIoU": float((right[union > 0] / union[union > 0]).mean()),
        "aAcc": float(right.sum() / there.sum()),
        "mAcc": float((right[there > 0] / there[there > 0]).mean()),
    }


def compare(found: NDArray[np.uint8], there: NDArray[np.uint8], classes: int) -> Areas:
    """The areas of one picture: classes from 0 that were found, and an annotation as stored."""
    judged = ~np.isin(there, OPEN)
    found, there = found[judged], there[judged] - 1
    some = (found[found == there], found, there)
    return np.stack([np.bincount(part, minlength=classes) for part in some]).astype(np.int64)


def _judge(pairs: Sequence[tuple[Path, Path]], segmenter: "Segmenter") -> Arrays:
    areas = np.zeros((len(pairs), 3, len(segmenter.names)), dtype=np.int64)
    faults = np.zeros(len(pairs), dtype=np.uint8)
    for at, (image, annotation) in enumerate(pairs):
        try:
            areas[at] = _areas(image, annotation, segmenter)
        except _Fault as fault:
            faults[at] = fault.number
    return {"areas": areas, "faults": faults}


def _areas(image: Path, annotation: Path, segmenter: "Segmenter") -> Areas:
    there = _opened(annotation, "annotations unreadable")
    picture = _opened(image, "images unreadable")
    classes = np.asarray(there)
    if there.mode not in ("L", "P") or (classes[classes != OPEN[1]] > len(segmenter.names)).any():
        raise _Fault("annotations that are not a class map")
    if there.size != picture.size:
        raise _Fault("annotations that differ in size from their image")
    try:
        found = segmenter.segment(picture).classes
    except InvalidInput as error:
        raise _Fault("images unreadable") from error
    return compare(found, classes, len(segmenter.names))


def _opened(path: Path, fault: str) -> Image.Image:
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _Fault(fault) from error


def _tell(faults: NDArray[np.uint8], mapped: Mapped, gaps: Gaps) -> None:
    for at in np.flatnonzero(faults).tolist():
        kind = FAULTS[faults[at]]
        files = mapped.media if kind.startswith("images") else mapped.maps
        gaps.add(kind, files[at].name)


def _require_classes(segmenter: "Segmenter") -> None:
    from encoders.heads.segmentation import ADE20K

    if tuple(segmenter.names) != ADE20K:
        raise InvalidDataset(
            f"the segmenter tells {len(segmenter.names)} classes apart, not the {len(ADE20K)} of "
            "ADE20K: set segmenter to a checkpoint that was trained on these"
        )
