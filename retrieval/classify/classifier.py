"""A linear classifier over an encoder's vectors, whether zero-shot, trained or public."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from encoders import EncoderMismatch, Use, require_same, unit
from retrieval.errors import ClassifierMismatch, InvalidClassifier

Rows = NDArray[np.float32]

KEY = "polylens"  # of our JSON among a file's metadata
FIELDS = ("labels", "vector", "exclusive", "normalized", "use", "encoder", "fingerprint", "made")


@dataclass(frozen=True)
class Guess:
    """A label and its probability, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Classifier:
    """Logits are `rows @ weights + bias`: `[n, dim] @ [dim, labels] + [labels]`, all float32.

    `vector` names the vector that the rows are, scaled to norm 1 first where `normalized`; `use` is
    what images are preprocessed for. With `exclusive` one label holds (softmax), else each by
    itself (logistic). `encoder` and `fingerprint` say what it is for, `made` how it came about.
    """

    labels: Sequence[str]
    weights: Rows
    bias: Rows
    vector: str
    exclusive: bool = True
    normalized: bool = True
    use: Use = "class"
    encoder: str = ""
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    made: str = ""

    def __post_init__(self) -> None:
        shapes = (self.weights.ndim, self.weights.shape[-1:], self.bias.shape)
        if shapes != (2, (len(self.labels),), (len(self.labels),)):
            raise InvalidClassifier(
                f"weights {list(self.weights.shape)} and bias {list(self.bias.shape)} are not "
                f"those of {len(self.labels)} labels"
            )
        if not (np.isfinite(self.weights).all() and np.isfinite(self.bias).all()):
            raise InvalidClassifier("the weights are not all finite numbers")

    def logits(self, rows: Rows) -> Rows:
        """Vectors `[n, dim]` as the encoder gives them -> float32 `[n, labels]`."""
        rows = unit(rows) if self.normalized else rows
        return np.asarray(rows @ self.weights + self.bias, dtype=np.float32)

    def probabilities(self, rows: Rows) -> Rows:
        """Float32 `[n, labels]`, 0 to 1; of a row they add up to 1 if labels exclude each other."""
        logits = self.logits(rows).astype(np.float64)
        if not self.exclusive:
            return np.asarray(1 / (1 + np.exp(-logits.clip(-80, 80))), dtype=np.float32)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)

    def guess(
        self, rows: Rows, *, top: int | None = None, at_least: float | None = None
    ) -> list[list[Guess]]:
        """The likeliest `top` labels of each row, likeliest first, none under `at_least`.

        By default the best label of those that exclude each other, else all from 0.5 on.
        """
        top = top or (1 if self.exclusive else len(self.labels))
        at_least = at_least if at_least is not None else 0.0 if self.exclusive else 0.5
        return [self._guesses(row, top, at_least) for row in self.probabilities(rows)]

    def _guesses(self, row: Rows, top: int, at_least: float) -> list[Guess]:
        order = np.argsort(-row, kind="stable")[:top]
        return [Guess(self.labels[at], float(row[at])) for at in order if row[at] >= at_least]

    def require_fits(
        self, vectors: Mapping[str, int], fingerprint: Mapping[str, str], what: str
    ) -> None:
        """Raise `ClassifierMismatch` unless it is for vectors such as `what` has."""
        if vectors.get(self.vector) != len(self.weights):
            raise ClassifierMismatch(
                f"this classifier is for a vector {self.vector!r} of {len(self.weights)} "
                f"dimensions; {what} has {dict(vectors)}"
            )
        mine = {part: value for part, value in self.fingerprint.items() if part != "vectors"}
        try:
            require_same(mine, fingerprint, "this classifier")
        except EncoderMismatch as error:
            raise ClassifierMismatch(f"{error} It was made with {self.encoder}.") from error

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all, its description as JSON in the header.

        Raises `OSError`.
        """
        from safetensors.numpy import save

        about = {name: getattr(self, name) for name in FIELDS}
        about |= {"labels": [*self.labels], "fingerprint": dict(self.fingerprint)}
        tensors = {"weights": np.ascontiguousarray(self.weights), "bias": self.bias}
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        draft.write_bytes(save(tensors, {KEY: json.dumps(about, ensure_ascii=False)}))
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; no pickle. Raises `InvalidClassifier`."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                about: dict[str, Any] = json.loads((file.metadata() or {})[KEY])
                tensors = [file.get_tensor(name).astype(np.float32) for name in ("weights", "bias")]
                return cls(weights=tensors[0], bias=tensors[1], **_checked(about))
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidClassifier(f"{path} is not a polylens classifier: {error}") from error


def topk_accuracy(logits: Rows, targets: Sequence[int], k: int) -> float:
    """The share of rows `[n, labels]` whose target is among their `k` highest."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((best == np.asarray(targets)[:, None]).any(axis=1).mean())


def _checked(about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a file's description; raises `KeyError` or `TypeError`."""
    found = {name: about[name] for name in FIELDS}
    labels, types = found["labels"], {"exclusive": bool, "normalized": bool, "fingerprint": dict}
    for name, value in found.items():
        if name != "labels" and not isinstance(value, types.get(name, str)):
            raise TypeError(f"{name} is {value!r}")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise TypeError("the labels are not a list of texts")
    if found["use"] not in ("search", "frame", "class"):
        raise TypeError(f"use is {found['use']!r}")
    return found
