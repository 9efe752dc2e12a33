"""Whether another score than the best cosine tells an answer from none better.

    python -m benchmarks.relevance_scores --stamps unpacked/usr/share/tuxpaint/stamps

The collections and queries of `benchmarks.relevance`, all names. A bank is what a score is compared
with: the background texts, or the encoder's own names of classes. Area under the ROC curve, and
the share that is kept where as much is refused. Last, a logistic regression over all of the scores,
fitted on four fifths of the names and judged by the others: what is to be had from them together.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.relevance import SIZES, Case, Deck, Rows, read_stamps, roc
from encoders import load_encoder
from encoders.base import unit
from encoders.offline.data import load_data
from retrieval.background import TEXTS

Values = NDArray[np.float64]

NEAREST = 5  # of a bank to an image
SHARPNESS = 10.0  # of the inverted softmax, times a cosine
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stamps", type=Path)
    stamps = parser.parse_args().stamps
    if stamps is None:
        print("needs --stamps: benchmarks/relevance.py says where they come from")
        return
    encoder = load_encoder("offline")
    deck = Deck(encoder, list(read_stamps(stamps)))
    background, classes = encoder.encode_texts(TEXTS)["default"], class_rows()
    for what, names in (("all names", set(deck.names)), ("known names", deck.known())):
        cases = list(deck.cases(names))
        for size in SIZES:
            print(f"{size} stamps, {what}: area, balanced")
            report([case for case in cases if case.size == size], background, classes)


def class_rows() -> Rows:
    """The encoder's names of its thousand classes, as texts."""
    data = load_data()
    leaves = data.space.nodes[data.space.membership.sum(axis=1) == 1]
    rows: Rows = unit(data.space.describe_texts(leaves) @ data.projection)
    return rows


def scores(case: Case, background: Rows, classes: Rows) -> Iterator[tuple[str, Values]]:
    """Each a name and a value for each query."""
    cosines = case.scores.astype(np.float64)
    ordered = np.sort(cosines, axis=1)
    noise, known = background @ case.images.T, classes @ case.images.T
    near = np.sort(known, axis=0)[-NEAREST:].mean(axis=0)
    yield "best cosine", ordered[:, -1]
    yield "less the query's mean", ordered[:, -1] - cosines.mean(axis=1)
    yield (
        "its z-score over the images",
        (ordered[:, -1] - cosines.mean(axis=1)) / cosines.std(axis=1),
    )
    yield "less the next five", ordered[:, -1] - ordered[:, -6:-1].mean(axis=1)
    yield "less the image's mean with background", (cosines - noise.mean(axis=0)).max(axis=1)
    yield "less half of its nearest classes", (cosines - near / 2).max(axis=1)
    yield "inverted softmax, background", softened(cosines, noise)
    yield "inverted softmax, classes", softened(cosines, known)


def softened(cosines: Values, bank: Rows) -> Values:
    """The best logarithm of each image's share for the query, beside the bank's texts."""
    others = np.log(np.exp(SHARPNESS * bank).sum(axis=0))
    best: Values = (SHARPNESS * cosines - others).max(axis=1)
    return best


def report(cases: list[Case], background: Rows, classes: Rows) -> None:
    parts: dict[str, list[Values]] = {}
    for case in cases:
        for name, found in scores(case, background, classes):
            parts.setdefault(name, []).append(found)
    answer = np.concatenate([case.right.any(axis=1) for case in cases])
    names = np.concatenate([case.names for case in cases])
    values = {name: np.concatenate(some) for name, some in parts.items()}
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    values["all of them, held-out names"] = cross_val_predict(
        model,
        np.stack(list(values.values()), axis=1),
        answer,
        groups=names,
        cv=GroupKFold(FOLDS),
        method="decision_function",
    )
    for name, column in values.items():
        refused, kept = roc(column, answer)
        balanced = kept[int(np.argmin(np.abs(refused - kept)))]
        print(f"  {name:38} {roc_auc_score(answer, column):.3f}  {balanced:.3f}")


if __name__ == "__main__":
    main()
