"""Collapse near-duplicates and diversify hits."""

from collections.abc import Collection as Some
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import Collection, Hit
from retrieval.candidates import Group
from retrieval.trace import Trace

SAME_BITS = 8
"""Of the 64 of two perceptual hashes: as many may differ where two pictures are the same."""

SAME_COSINE = 0.985
"""Between two pictures without such hashes: as near as this, they are taken for the same."""

Rows = dict[UUID, NDArray[np.float32]]
"""Point -> its unit vector `[dim]`."""


def vectors(collection: Collection, vector: str, groups: Sequence[Group], trace: Trace) -> Rows:
    """The stored vectors of the groups' best points, to compare them with each other."""
    with trace.stage("look up", f"{vector} of hits") as step:
        records = collection.get([group.best.id for group in groups], with_vectors=[vector])
        step.count = len(records)
    return {record.id: record.vectors[vector] for record in records if vector in record.vectors}


def collapse(groups: Sequence[Group], rows: Rows, trace: Trace) -> list[Group]:
    """The groups to show; near-duplicates of earlier ones become theirs.

    By the perceptual hashes `phash` of their payloads where both have one, else by their vectors.
    """
    kept: list[int] = []
    with trace.stage("collapse") as step:
        hashes, alike = [_phash(group.best) for group in groups], _alike(groups, rows)
        for place, group in enumerate(groups):
            first = next((k for k in kept if _same(hashes, alike, k, place)), None)
            if first is None:
                kept.append(place)
            else:
                groups[first].duplicates.append(group)
        step.count = len(kept)
        step.note = f"{len(groups) - len(kept)} near-duplicates put under other hits"
    return [groups[place] for place in kept]


def diversify(
    groups: Sequence[Group], rows: Rows, diversity: float, shown: Some[bytes], trace: Trace
) -> list[Group]:
    """Each next group is relevant and unlike those before it.

    Maximal marginal relevance (Carbonell and Goldstein 1998): `diversity`, 0 to 1, weighs the
    greatest likeness to those before against the place in the order given. Groups that were
    `shown` stand before all others.
    """
    with trace.stage("diversify", f"{diversity:g}") as step:
        step.count = len(groups)
        alike = _alike(groups, rows)
        order = [i for i, group in enumerate(groups) if group.mark in shown]
        left = [i for i, group in enumerate(groups) if group.mark not in shown]
        relevance = 1 - np.arange(len(groups)) / max(1, len(groups))
        nearest = np.max(alike[order], axis=0, initial=0.0)
        while left:
            value = (1 - diversity) * relevance[left] - diversity * nearest[left]
            order.append(left.pop(int(np.argmax(value))))
            nearest = np.maximum(nearest, alike[order[-1]])
    return [groups[i] for i in order]


def _alike(groups: Sequence[Group], rows: Rows) -> NDArray[np.float32]:
    """Cosines between the groups' best points, `[n, n]`; 0 to what has no vector."""
    missing = np.zeros_like(next(iter(rows.values()), np.zeros(1, np.float32)))
    stacked = np.stack([rows.get(group.best.id, missing) for group in groups])
    alike: NDArray[np.float32] = stacked @ stacked.T
    return alike


def _phash(hit: Hit) -> int | None:
    text = hit.payload.get("phash")
    try:
        return int(text, 16) if isinstance(text, str) and text else None
    except ValueError:
        return None


def _same(hashes: Sequence[int | None], alike: NDArray[np.float32], a: int, b: int) -> bool:
    one, other = hashes[a], hashes[b]
    if one is not None and other is not None:
        return (one ^ other).bit_count() <= SAME_BITS
    return bool(alike[a, b] >= SAME_COSINE)
