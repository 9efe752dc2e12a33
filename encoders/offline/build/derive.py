"""The derivation itself: from names and classifier weights to the arrays of `OfflineData`.

All arithmetic is float64 and has no random part. Notation of docs/offline_encoder.md: e = sentence
embedding, z = whitened embedding.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from encoders.offline.build.concepts import Concept
from encoders.offline.build.nodes import CLASSES, Nodes
from encoders.offline.data import OfflineData
from encoders.offline.lexicon import Lexicon
from encoders.offline.space import Space

Embed = Callable[[Sequence[str]], NDArray[np.float64]]
"""Texts -> sentence embeddings `[n, 384]`."""

DIM = 384
ACROSS_LANGUAGES, ACROSS_SYNONYMS, ACROSS_TEMPLATES = 0.6, 0.25, 0.15
SHRINKAGE = 0.5  # of the within-concept covariance, in units of its mean eigenvalue
RIDGE = 1.0


def derive(
    nodes: Nodes,
    concepts: Sequence[Concept],
    things: Sequence[str],
    classifier: NDArray[np.float64],
    embed: Embed,
) -> OfflineData:
    """Everything the encoder needs beside its two models; `checksum` stays empty.

    `things` are the nouns whose descriptions decide which 384 directions are kept; `classifier` is
    the weight `[1000, 1280]` of the last layer.
    """
    plain, template = embed(nodes.names), embed([f"a photo of a {name}" for name in nodes.names])
    keys = [(name, at) for at, concept in enumerate(concepts) for name in concept.names]
    spoken, of = embed([name for name, _ in keys]), np.array([at for _, at in keys])

    mean = (plain.mean(axis=0) + spoken.mean(axis=0)) / 2
    whitening = _whitening(
        ACROSS_LANGUAGES * _within(spoken, of)
        + ACROSS_SYNONYMS * _within(*_synonyms(nodes, plain, embed))
        + ACROSS_TEMPLATES
        * _within(np.concatenate([plain, template]), np.tile(np.arange(len(plain)), 2))
    )

    def whiten(embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        return _unit((embeddings - mean) @ whitening)

    rows = _unit(whiten(plain) + whiten(template))
    space = Space(
        nodes=rows.astype(np.float32),
        membership=nodes.membership,
        regression=_regression(rows[:CLASSES], classifier).astype(np.float32),
    )
    lexicon = Lexicon(
        keys=whiten(spoken).astype(np.float32),
        concept=of,
        english=np.array([keys.index((one.english, at)) for at, one in enumerate(concepts)]),
    )
    queries = whiten(np.concatenate([plain, embed(things)])).astype(np.float32)
    return OfflineData(
        checksum="",
        mean=mean.astype(np.float32),
        whitening=whitening.astype(np.float32),
        lexicon=lexicon,
        space=space,
        projection=_projection(space.describe_texts(lexicon.pull(queries))),
    )


def _synonyms(
    nodes: Nodes, plain: NDArray[np.float64], embed: Embed
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Embeddings of all names and synonyms, and the node each belongs to."""
    words = [(word, at) for at, synonyms in enumerate(nodes.synonyms) for word in synonyms]
    owner = np.array([*range(len(plain)), *(at for _, at in words)])
    return np.concatenate([plain, embed([word for word, _ in words])]), owner


def _within(rows: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pooled within-group covariance `[d, d]`, unbiased."""
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    means = np.zeros((len(sizes), rows.shape[1]))
    np.add.at(means, group, rows)
    apart = rows - (means / sizes[:, None])[group]
    covariance: NDArray[np.float64] = apart.T @ apart / (len(rows) - len(sizes))
    return covariance


def _whitening(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrunk PCA whitening `[d, d]`, for row vectors from the left."""
    values, vectors = np.linalg.eigh(covariance)
    whitening: NDArray[np.float64] = _signed(vectors) / np.sqrt(values + SHRINKAGE * values.mean())
    return whitening


def _regression(
    classes: NDArray[np.float64], classifier: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ridge regression `[384, 1280]` from class names to centred classifier rows."""
    gram = classes.T @ classes + RIDGE * np.eye(DIM)
    return np.linalg.solve(gram, classes.T @ (classifier - classifier.mean(axis=0)))


def _projection(descriptions: NDArray[np.float32]) -> NDArray[np.float32]:
    """The leading 384 eigenvectors `[D, 384]` of the second-moment matrix of text descriptions."""
    wide = descriptions.astype(np.float64)
    vectors = np.linalg.eigh(wide.T @ wide)[1][:, : -DIM - 1 : -1]
    return _signed(vectors).astype(np.float32)


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns turned so that their largest component is positive: LAPACK leaves the sign open."""
    largest = np.abs(vectors).argmax(axis=0)
    signed: NDArray[np.float64] = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return signed


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    normalised: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised
