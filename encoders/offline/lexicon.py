"""A multilingual dictionary in vector form."""

from dataclasses import dataclass
from functools import cached_property

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

    `keys` float32 `[k, 384]` unit rows; `concept` int `[k]`, the thing each key is a name of;
    `english` int `[c]`, the key that is the English name of each thing.
    """

    keys: Rows
    concept: NDArray[np.int64]
    english: NDArray[np.int64]

    def pull(self, texts: Rows) -> Rows:
        """Unit rows `[n, 384]` moved towards the English meaning of the keys they resemble."""
        similarity = texts @ self.keys.T
        weight = np.where(similarity > NEAREST, np.exp(SHARPNESS * (similarity - 1)), 0)
        row, key = np.nonzero(weight)
        shape = (len(texts), len(self.meanings))
        cell = np.ravel_multi_index((row, self.concept[key]), shape)
        by_concept = np.bincount(cell, weight[row, key], minlength=shape[0] * shape[1])
        return unit(texts + PULL * (by_concept.reshape(shape) @ self.meanings))

    @cached_property
    def meanings(self) -> Rows:
        """Unit rows `[c, 384]`."""
        english: Rows = self.keys[self.english]
        return english
