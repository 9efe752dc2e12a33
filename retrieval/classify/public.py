"""The linear-probe heads that the InternVL project publishes for its InternViT.

InternVL paper, section 4.2: a frozen tower, the class token beside the mean of the patches, batch
normalisation and one linear layer.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from encoders import CheckpointError
from retrieval.classify.classes import ClassList
from retrieval.classify.classifier import Classifier, Rows
from retrieval.errors import InvalidClassifier

EPS = 1e-6  # of the batch normalisation


def read_public_head(path: Path, classes: ClassList | None = None) -> Classifier:
    """The classifier in a `*_head.pth` (or safetensors) file, for the vector `default`.

    Labels are those of `classes`, in the head's order, by default the numbers of the classes.
    Tensors are told by shape and by the ends of their names: one matrix, the running statistics
    and, optionally, scale and shift of the normalisation, which is folded into the matrix. Raises
    `CheckpointError` for a file that cannot be read, `InvalidClassifier` for anything else in it.
    """
    from encoders.internvl.files import open_checkpoint

    if not path.is_file():
        raise CheckpointError(f"{path} is missing: name the file of a linear-probe head")
    (file,) = open_checkpoint(path)
    tensors = {name: file.read(name).float().numpy() for name in file.shapes}
    weights, bias = _folded(tensors, path)
    labels = classes.labels if classes else tuple(str(number) for number in range(len(bias)))
    if len(labels) != len(bias):
        raise InvalidClassifier(f"{path} has {len(bias)} classes, not {len(labels)}")
    return Classifier(
        labels=labels,
        weights=weights,
        bias=bias,
        vector="default",
        normalized=False,
        encoder="internvit",
        made=f"read from {path.name}",
    )


def _folded(tensors: Mapping[str, Rows], path: Path) -> tuple[Rows, Rows]:
    """Normalisation and matrix as one: weights `[dim, classes]` and bias `[classes]`."""
    matrices = [name for name, tensor in tensors.items() if tensor.ndim == 2]
    means = [name for name in tensors if name.endswith("running_mean")]
    if len(matrices) != 1 or len(means) != 1:
        raise InvalidClassifier(
            f"{path} is not a linear-probe head: it has {len(matrices)} matrices and {len(means)} "
            "running means, not one of each"
        )
    matrix, norm = tensors[matrices[0]], means[0].removesuffix("running_mean")
    classes, width = matrix.shape
    bias = _named(tensors, matrices[0].removesuffix("weight") + "bias", classes, 0.0, path)
    mean = _named(tensors, f"{norm}running_mean", width, None, path)
    variance = _named(tensors, f"{norm}running_var", width, None, path)
    scale = _named(tensors, f"{norm}weight", width, 1.0, path) / np.sqrt(variance + EPS)
    shift = _named(tensors, f"{norm}bias", width, 0.0, path) - mean * scale
    weights = (matrix * scale).T
    return np.ascontiguousarray(weights, np.float32), (bias + matrix @ shift).astype(np.float32)


def _named(
    tensors: Mapping[str, Rows], name: str, size: int, default: float | None, path: Path
) -> Rows:
    if name not in tensors and default is not None:
        return np.full(size, default, np.float32)
    if name not in tensors or tensors[name].shape != (size,):
        raise InvalidClassifier(f"{path}: {name} should be {size} numbers, for {size} features")
    return tensors[name]
