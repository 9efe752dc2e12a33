"""Relevance: how likely a hit answers a text, from its score and its encoder's scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from encoders import EncoderInfo
from retrieval.candidates import Group
from retrieval.fusion import WORDS
from retrieval.trace import Trace

GOOD = 0.5
"""The relevance from which a hit is a good match."""

WIDTH = 0.05
"""Of the threshold: a cosine so far above it has a relevance of .73."""


@dataclass(frozen=True)
class Relevance:
    """A logistic curve over the scores of one query: `centre` is the cosine of relevance 0.5."""

    centre: float
    width: float = WIDTH

    def of(self, score: float) -> float:
        """The probability, 0 to 1, that a hit of this score answers; it rises with the score."""
        return float(1 / (1 + np.exp(-(score - self.centre) / self.width)))


def relevance(info: EncoderInfo) -> Relevance | None:
    """None where scores of the encoder were never measured."""
    return None if info.match_threshold is None else Relevance(info.match_threshold)


def likely(group: Group, relevance: Relevance) -> float:
    """How relevant a group is, 0 to 1; 1 where it has every word that was asked for."""
    return 1.0 if WORDS in group.scores else relevance.of(group.best.score)


def cut(groups: Sequence[Group], relevance: Relevance, least: float, trace: Trace) -> list[Group]:
    """The groups that are at least that relevant, 0 to 1."""
    with trace.stage("cut", f"relevance {least:g}") as step:
        kept = [group for group in groups if likely(group, relevance) >= least]
        step.count = len(kept)
    return kept
