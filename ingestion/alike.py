"""Find perceptual hashes that are close to each other, among millions."""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

SAME_BITS = 8
"""Of the 64 of two hashes: as many may differ where two pictures are the same."""

BLOCKS = SAME_BITS + 3  # of adjacent bits: however the bits that differ lie, three are left whole

Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


def keepers(hashes: Hashes) -> Places:
    """For each of distinct hashes `[n]`, the best first, the place of the one that stands for it.

    That is itself, or an earlier one that stands for itself and differs in at most `SAME_BITS`
    bits. Of two hashes as near as that, both may stand for themselves where each was compared with
    a third one first.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012) with tables of three whole blocks each, as
    Manku, Jain and Sarma (2007) keep them: what differs in few bits is equal in one of the tables.
    A hash that found a better one is looked up no more, so that neither time nor memory grows with
    the pairs in a cluster.
    """
    better = np.arange(len(hashes))
    for mask in _masks():
        own = np.flatnonzero(better == np.arange(len(hashes)))
        _look_up(hashes, own, mask, better)
    return _settled(hashes, better)


def _masks() -> Iterator[np.uint64]:
    """Of each three blocks, the bits."""
    edges = np.linspace(0, 64, BLOCKS + 1).astype(int).tolist()
    blocks = [(1 << end) - (1 << start) for start, end in pairwise(edges)]
    for chosen in combinations(blocks, 3):
        yield np.uint64(sum(chosen))


def _look_up(hashes: Hashes, own: Places, mask: np.uint64, better: Places) -> None:
    """Note for each of the places `own` one that is better, among those equal under the mask."""
    keys = hashes[own] & mask
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], own[order]
    while len(places):
        is_first = np.concatenate(([True], keys[1:] != keys[:-1]))
        run = np.cumsum(is_first) - 1
        pivots = places[is_first][run]
        near = np.bitwise_count(hashes[places] ^ hashes[pivots]) <= SAME_BITS
        better[places[near]] = pivots[near]
        keys, places = keys[~near], places[~near]


def _settled(hashes: Hashes, better: Places) -> Places:
    """Of chains of better ones, only the first links that end near enough."""
    kept = better.copy()
    for place in np.flatnonzero(better != np.arange(len(better))).tolist():  # better ones first
        keeper = kept[better[place]]
        near = int(hashes[place] ^ hashes[keeper]).bit_count() <= SAME_BITS
        kept[place] = keeper if near else place
    return kept
