"""The later stages: what was found is put into a better order."""

from collections.abc import Callable, Sequence
from collections.abc import Collection as Some
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder, Matcher, RGBImage
from indexer import Collection, Filter, HasId, Hit
from retrieval.candidates import Candidate, Group, grouped, points
from retrieval.trace import Trace

Pictures = Callable[[Hit], RGBImage | None]
"""The picture that stands for a point; None where it is gone."""

MATCH = "match"
_PICTURES_AT_ONCE = 16
"""Held in memory together."""


def rescore(
    collection: Collection,
    vector: str,
    target: NDArray[np.float32],
    groups: Sequence[Group],
    trace: Trace,
    *,
    by_asset: bool,
) -> list[Group]:
    """The same points ordered by another vector; those that lack it come after the others."""
    found = points(groups)
    with trace.stage("rescore", vector) as step:
        these = Filter(must=[HasId(has_id=[candidate.hit.id for candidate in found])])
        hits = collection.search(target, vector=vector, filter=these, limit=max(1, len(found))).hits
        step.count = len(hits)
        if len(hits) < len(found):
            step.note = f"{len(found) - len(hits)} without {vector!r} come after"
    scores = {hit.id: hit.score for hit in hits}
    rescored = [_rescored(candidate, vector, scores.get(candidate.hit.id)) for candidate in found]
    rescored.sort(key=lambda c: (vector not in c.scores, -c.hit.score, c.hit.id))
    return grouped(rescored, by_asset=by_asset)


def match(
    encoder: Encoder,
    pictures: Pictures,
    text: str,
    groups: Sequence[Group],
    most: int,
    shown: Some[bytes],
    trace: Trace,
) -> list[Group]:
    """The first `most` groups ordered by how well their pictures match the text.

    Those without a picture come after them, then the rest. Groups that were `shown` are not judged
    again.
    """
    first, rest = list(groups[:most]), list(groups[most:])
    with trace.stage(MATCH, encoder.info.name) as step:
        wanted = [group for group in first if group.mark not in shown]
        for start in range(0, len(wanted), _PICTURES_AT_ONCE):
            batch = wanted[start : start + _PICTURES_AT_ONCE]
            looked = [(group, pictures(group.best)) for group in batch]
            seen = [(group, picture) for group, picture in looked if picture is not None]
            images = [picture for _, picture in seen]
            scores = cast(Matcher, encoder).match(images, [text] * len(images))
            for (group, _), score in zip(seen, scores.tolist(), strict=True):
                group.scores[MATCH] = score
                step.count += 1
        if step.count < len(wanted):
            step.note = f"{len(wanted) - step.count} without a picture come after"
    first.sort(key=lambda group: -group.scores.get(MATCH, -1.0))
    return first + rest


def _rescored(candidate: Candidate, vector: str, score: float | None) -> Candidate:
    if score is None:
        return candidate
    hit = replace(candidate.hit, score=score)
    return Candidate(hit, {**candidate.scores, vector: score})
