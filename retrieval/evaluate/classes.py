"""Zero-shot classification by the public protocol."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.classify.classifier import topk_accuracy
from retrieval.classify.prompts import Prompts
from retrieval.classify.zeroshot import LOGIT_SCALE, class_weights
from retrieval.evaluate.dataset import Labelled
from retrieval.evaluate.embeddings import Embeddings, readable
from retrieval.evaluate.published import Reference
from retrieval.evaluate.result import Result, Score

PROTOCOL = "short side and centre crop; a class is the unit mean of {} prompts"


def evaluate_classes(
    labelled: Labelled, prompts: Prompts, embeddings: Embeddings
) -> Iterator[Result]:
    """A result for each of its vectors; raises `InvalidDataset` if no file can be read."""
    rows = embeddings.images(labelled.media, "class")
    kept = readable(rows, labelled.media, labelled.gaps)
    labelled = labelled.only(kept)
    weights = class_weights(embeddings.encoder, labelled.words, prompts)
    for vector, images in rows.items():
        logits = np.asarray(LOGIT_SCALE * images[kept] @ weights[vector], dtype=np.float32)
        yield _result(labelled, prompts, embeddings, vector, logits)


def mean_class_recall(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """The mean over the classes that occur of their top-1 accuracy, 0 to 1."""
    right = logits.argmax(axis=1) == targets
    return float(np.mean([right[targets == target].mean() for target in np.unique(targets)]))


def _result(
    labelled: Labelled,
    prompts: Prompts,
    embeddings: Embeddings,
    vector: str,
    logits: NDArray[np.float32],
) -> Result:
    info = embeddings.encoder.info
    theirs = Reference.of(info.name, vector, labelled.name, labelled.language)
    targets = labelled.targets
    measured = {
        f"top {k}": topk_accuracy(logits, targets.tolist(), k)
        for k in (1, 5)
        if k < logits.shape[1]
    } | {"mean class recall": mean_class_recall(logits, targets)}
    return Result(
        dataset=labelled.name,
        language=labelled.language,
        encoder=info.name,
        vector=vector,
        protocol=PROTOCOL.format(len(prompts.templates)),
        counts={"images": len(targets), "classes": len(labelled.words), **labelled.passed},
        scores=[
            Score(name, 100 * value, theirs.numbers.get(name)) for name, value in measured.items()
        ],
        gaps=[*labelled.gaps.sentences(), *theirs.doubts(labelled.listed)],
        reference=theirs.model,
        fingerprint=dict(info.fingerprint),
    )
