"""A multilingual dictionary in vector form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.base import unit

Rows = NDArray[np.float32]

PULL = 10.0  # weight of the dictionary's answer beside the text itself
SHARPNESS = 8.0
NEAREST = 0.4  # keys less similar than this say nothing


@dataclass(frozen=True)
class Lexicon:
    """Names of things in many languages, each with the meaning its English name has.

    `keys` float32 `[k, 384]` unit rows; `meanings` float32 `[c, 384]` unit rows; `concept` int
    `[k]`, the meaning each key stands for.
    """

    keys: Rows
    meanings: Rows
    concept: NDArray[np.int64]

    def pull(self, texts: Rows) -> Rows:
        """Unit rows `[n, 384]` moved towards the English meaning of the keys they resemble."""
        similarity = texts @ self.keys.T
        weight = np.where(similarity > NEAREST, np.exp(SHARPNESS * (similarity - 1)), 0)
        by_concept = np.zeros((len(texts), len(self.meanings)), dtype=np.float32)
        for row, at in zip(*np.nonzero(weight), strict=True):
            by_concept[row, self.concept[at]] += weight[row, at]
        return unit(texts + np.float32(PULL) * (by_concept @ self.meanings))
