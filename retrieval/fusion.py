"""Fuse the results of vector search and word search."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer import Collection, Filter, HasId, Hit
from retrieval.candidates import Candidate, Group, group_name, grouped
from retrieval.trace import Trace

WORDS = "words"
FUSE = "fuse"
RANK = 60
"""Added to each rank, as Cormack, Clarke and Büttcher 2009 found best."""


def find_words(
    collection: Collection,
    text: str,
    filter: Filter | None,  # noqa: A002 - the field's word for it
    most: int,
    trace: Trace,
) -> list[Hit]:
    """The points whose text or caption has every word, those of the fewest others first."""
    with trace.stage(WORDS) as step:
        hits = collection.find_text(text, filter=filter, limit=most)
        step.count = len(hits)
    return hits


def join(
    collection: Collection,
    vector: str,
    target: NDArray[np.float32],
    groups: Sequence[Group],
    hits: Sequence[Hit],
    trace: Trace,
    *,
    by_asset: bool,
) -> list[Group]:
    """The groups that vectors found, then, by their cosines, those that only words found."""
    there = {group.name for group in groups}
    missing = [hit.id for hit in hits if group_name(hit, by_asset=by_asset) not in there]
    if not missing:
        return [*groups]
    with trace.stage("compare", vector) as step:
        these = Filter(must=[HasId(has_id=missing)])
        found = collection.search(target, vector=vector, filter=these, limit=len(missing)).hits
        step.count = len(found)
        step.note = "found by their words alone"
    candidates = [Candidate(hit, {vector: hit.score}) for hit in found]
    return [*groups, *grouped(candidates, by_asset=by_asset)]


def fuse(
    groups: Sequence[Group], hits: Sequence[Hit], trace: Trace, *, by_asset: bool
) -> list[Group]:
    """The groups by the sum of their reciprocal ranks, 1 / (60 + rank), in both lists."""
    with trace.stage(FUSE, "reciprocal rank") as step:
        step.count = len(groups)
        words: dict[str, Hit] = {}
        for hit in hits:
            words.setdefault(group_name(hit, by_asset=by_asset), hit)
        ranks = {name: rank for rank, name in enumerate(words, 1)}
        for rank, group in enumerate(groups, 1):
            group.scores[FUSE] = 1 / (RANK + rank)
            if group.name in words:
                group.scores[FUSE] += 1 / (RANK + ranks[group.name])
                group.scores[WORDS] = words[group.name].score
    return sorted(groups, key=lambda group: -group.scores[FUSE])
