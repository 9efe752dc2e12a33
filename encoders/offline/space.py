"""The space that texts and images share: what makes a sentence and a classifier comparable.

A text is known by its whitened sentence embedding, an image by what an ImageNet classifier says of
it. Both are described in the same four parts, weighted, concatenated and projected to 384 numbers:

| part     | weight | text                                  | image                                |
|----------|--------|---------------------------------------|--------------------------------------|
| meaning  | 1      | its embedding                         | mean node embedding by probability   |
| nodes    | 1      | soft choice among the concept nodes   | log of each node's lift over chance  |
| features | .5     | ridge regression to classifier rows   | penultimate features                 |
| classes  | .5     | its chosen nodes, spread over classes | positive part of the centred logits  |

"meaning" is ConSE (Norouzi et al. 2013, arXiv:1312.5650); "features" is the idea of DeViSE (Frome
et al. 2013) run backwards. docs/offline_encoder.md says what each part was measured to add.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encoders.base import unit

Rows = NDArray[np.float32]

WEIGHTS = (1.0, 1.0, 0.5, 0.5)
SHARPNESS = 25.0  # of the soft choice among nodes; cosines in, so e^25 from orthogonal to equal
FLOOR = 0.01  # added to a probability before its logarithm


@dataclass(frozen=True)
class Space:
    """All arrays float32, `N` concept nodes: the 1000 classes first, then their WordNet ancestors.

    `nodes` `[N, 384]` unit text rows of the node names; `membership` `[N, 1000]` is 1 where a class
    lies under a node; `regression` `[384, 1280]` text to features.
    """

    nodes: Rows
    membership: Rows
    regression: Rows

    def describe_texts(self, texts: Rows) -> Rows:
        """Whitened unit rows `[n, 384]` to descriptions `[n, 384 + N + 1280 + 1000]`."""
        similarity = texts @ self.nodes.T
        choice: Rows = np.exp(SHARPNESS * (similarity - similarity.max(axis=1, keepdims=True)))
        spread: Rows = np.divide(choice, self._sizes) @ self.membership
        return _join(texts, choice, texts @ self.regression, spread)

    def describe_images(self, logits: Rows, features: Rows) -> Rows:
        """Class logits `[n, 1000]` and features `[n, 1280]` to descriptions like those of texts."""
        mass: Rows = _softmax(logits) @ self.membership.T
        meaning: Rows = np.divide(mass, np.sqrt(self._sizes)) @ self.nodes
        prior = self._sizes / self.membership.shape[1]
        lift: Rows = np.log((mass + FLOOR) / (prior + FLOOR))
        excess: Rows = np.maximum(logits - logits.mean(axis=1, keepdims=True), 0)
        return _join(meaning, lift, features, excess)

    @cached_property
    def _sizes(self) -> Rows:
        sizes: Rows = self.membership.sum(axis=1)
        return sizes


def _join(*parts: Rows) -> Rows:
    weighted = [
        np.float32(weight**0.5) * unit(part) for weight, part in zip(WEIGHTS, parts, strict=True)
    ]
    return np.concatenate(weighted, axis=1)


def _softmax(logits: Rows) -> Rows:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    normalised: Rows = exponentials / exponentials.sum(axis=1, keepdims=True)
    return normalised
