"""A linear probe: logistic regression on the vectors of labelled examples, with scikit-learn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders import EncoderInfo, unit
from retrieval.classify.classifier import Classifier, Rows
from retrieval.errors import InvalidClasses, RetrievalError

STRENGTHS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # inverse regularisation: unit rows are short
FOLDS = 5
FEWEST = 2  # examples of a label
SEED = 0


@dataclass(frozen=True)
class Examples:
    """Vectors float32 `[n, dim]` and which of the labels each has, boolean `[n, labels]`."""

    rows: Rows
    labels: Sequence[str]
    targets: NDArray[np.bool_]

    @property
    def exclusive(self) -> bool:
        """Whether no example has two labels."""
        return bool((self.targets.sum(axis=1) <= 1).all())


@dataclass(frozen=True)
class Trained:
    """`held_out` is the score on examples that were left out in turn, 0 to 1: the accuracy, or the
    micro-averaged F1 where examples have several labels.
    """

    classifier: Classifier
    counts: dict[str, int]
    held_out: float


def train(examples: Examples, info: EncoderInfo, vector: str) -> Trained:
    """Fit a classifier to vectors named `vector` that `info`'s encoder made for search.

    The regularisation is the strongest of the best by cross-validation. Raises `InvalidClasses`
    for fewer than two labels, and for a label of fewer than two examples or that all have;
    `RetrievalError` where scikit-learn is not installed.
    """
    _require_library()
    counts = _counted(examples)
    rows = unit(examples.rows).astype(np.float64)
    targets = examples.targets.argmax(axis=1) if examples.exclusive else examples.targets
    scores = {c: _held_out(rows, targets, c, min(FOLDS, *counts.values())) for c in STRENGTHS}
    best = max(STRENGTHS, key=lambda c: scores[c])
    weights, bias = _linear(_model(best, exclusive=examples.exclusive).fit(rows, targets))
    classifier = Classifier(
        labels=tuple(examples.labels),
        weights=weights,
        bias=bias,
        vector=vector,
        exclusive=examples.exclusive,
        use="search",
        encoder=info.name,
        fingerprint={part: value for part, value in info.fingerprint.items() if part == "image"},
        made=f"trained on {len(rows)} examples, {scores[best]:.3f} on those held out",
    )
    return Trained(classifier, counts, scores[best])


def _require_library() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise RetrievalError(
            "training a probe needs scikit-learn: pip install 'polylens[eval]'"
        ) from error


def _counted(examples: Examples) -> dict[str, int]:
    """Label -> number of examples, if they will do."""
    totals = examples.targets.sum(axis=0).tolist()
    counts = dict(zip(examples.labels, totals, strict=True))
    if len(counts) < 2:
        raise InvalidClasses(f"a probe needs at least two labels, not {len(counts)}")
    for label, count in counts.items():
        if not FEWEST <= count < len(examples.rows):
            raise InvalidClasses(
                f"the label {label!r} has {count} of {len(examples.rows)} usable examples: it "
                f"needs at least {FEWEST}, and some that lack it"
            )
    return counts


def _model(strength: float, *, exclusive: bool) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    one = LogisticRegression(C=strength, max_iter=5_000)
    return one if exclusive else OneVsRestClassifier(one)


def _held_out(
    rows: NDArray[np.float64], targets: NDArray[Any], strength: float, folds: int
) -> float:
    from sklearn.metrics import f1_score
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

    exclusive = targets.ndim == 1
    splits = (StratifiedKFold if exclusive else KFold)(folds, shuffle=True, random_state=SEED)
    model = _model(strength, exclusive=exclusive)
    found = cross_val_predict(model, rows, targets, cv=splits)
    if exclusive:
        return float((found == targets).mean())
    return float(f1_score(targets, found, average="micro", zero_division=0))


def _linear(model: Any) -> tuple[Rows, Rows]:  # noqa: ANN401
    """Weights `[dim, labels]` and bias `[labels]` of a fitted model."""
    parts = getattr(model, "estimators_", [model])
    weights = np.concatenate([part.coef_ for part in parts]).T
    bias = np.concatenate([part.intercept_ for part in parts])
    if len(bias) == 1:  # of two labels only the second has its own: halve it between them
        weights, bias = np.hstack([-weights, weights]) / 2, np.array([-bias[0], bias[0]]) / 2
    return weights.astype(np.float32), bias.astype(np.float32)
