"""Zero-shot classification: texts about each class become the weights of a linear classifier."""

from collections.abc import Iterator, Sequence

import numpy as np

from encoders import Encoder, Vectors, unit
from encoders.fingerprint import digest
from retrieval.classify.cache import ClassifierCache
from retrieval.classify.classes import ClassList
from retrieval.classify.classifier import Classifier, Rows
from retrieval.classify.prompts import Prompts
from retrieval.errors import InvalidClasses, InvalidQuery

LOGIT_SCALE = 100.0  # of the public protocol, whatever the model's own temperature
AT_A_TIME = 512  # texts: others wait for the device meanwhile
MAX_TEXTS = 2_000_000


def zero_shot(
    encoder: Encoder,
    classes: ClassList,
    prompts: Prompts,
    *,
    vector: str | None = None,
    exclusive: bool = True,
    cache: ClassifierCache | None = None,
) -> Classifier:
    """A classifier of images, and of videos by their vectors; `vector` is the encoder's first.

    Logits of exclusive labels are 100 times the cosine. Otherwise a label holds where the cosine
    lies above the encoder's threshold of a good match or, where none was measured, above that of
    a text which names nothing. Raises `InvalidQuery` or `InvalidClasses`, and what the encoder
    does.
    """
    info = encoder.info
    vector = vector or next(iter(info.vectors))
    if vector not in info.vectors:
        known = ", ".join(info.vectors)
        raise InvalidQuery(f"{info.name} has no vector {vector!r}: it has {known}")
    if len(classes.words) * len(prompts.templates) > MAX_TEXTS:
        raise InvalidClasses("too many prompts: give fewer classes or templates")

    def make() -> Classifier:
        weights, bias = _linear(encoder, classes, prompts, vector, exclusive=exclusive)
        return Classifier(
            labels=classes.labels,
            weights=weights,
            bias=bias,
            vector=vector,
            exclusive=exclusive,
            encoder=info.name,
            fingerprint=info.fingerprint,
            made=f"zero-shot, {len(prompts.templates)} prompts a class",
        )

    if cache is None or "text" not in info.fingerprint:
        return make()
    parts = (vector, exclusive, info.match_threshold, prompts.templates, prompts.nothing)
    return cache.get(digest(dict(info.fingerprint), classes.labels, classes.words, *parts), make)


def class_weights(encoder: Encoder, words: Sequence[str], prompts: Prompts) -> Vectors:
    """Per vector name float32 `[dim, classes]`: the unit mean of each class's prompt vectors."""
    parts = [*_encoded(encoder, words, prompts)]
    return {name: np.concatenate([part[name] for part in parts]).T for name in encoder.info.vectors}


def _encoded(encoder: Encoder, words: Sequence[str], prompts: Prompts) -> Iterator[Vectors]:
    """Rows `[classes, dim]` of some classes at a time."""
    step = max(1, AT_A_TIME // len(prompts.templates))
    for start in range(0, len(words), step):
        some = words[start : start + step]
        rows = encoder.encode_texts([text for word in some for text in prompts.of_class(word)])
        shape = (len(some), len(prompts.templates), -1)
        yield {name: unit(np.mean(row.reshape(shape), axis=1)) for name, row in rows.items()}


def _linear(
    encoder: Encoder, classes: ClassList, prompts: Prompts, vector: str, *, exclusive: bool
) -> tuple[Rows, Rows]:
    weights = class_weights(encoder, classes.words, prompts)[vector]
    bar = encoder.info.match_threshold
    if exclusive:
        bar = 0.0
    elif bar is None:
        weights = weights - class_weights(encoder, [prompts.nothing], prompts)[vector]
    bias = np.full(len(classes.labels), -LOGIT_SCALE * (bar or 0.0), np.float32)
    return np.float32(LOGIT_SCALE) * weights, bias
