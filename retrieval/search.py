"""Answer a query: embed its parts, search, group what belongs together."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder, require_same
from indexer import Collection, Filter, Hit, MatchAny, MatchCondition, MatchValue, SearchResult
from retrieval.answer import Answer, Found
from retrieval.errors import InvalidQuery, UnknownPoint
from retrieval.moments import moments
from retrieval.query import Part, Query

DEEPEST = 10_000  # points fetched for one answer, at most
VIDEO_KINDS = ("segment", "video")
SEGMENTS = 1_000  # segments looked at to find the moments of the videos in one answer


class Searcher:
    """Searches one collection with the encoder that made it."""

    def __init__(self, collection: Collection, encoder: Encoder) -> None:
        """Raises `EncoderMismatch` where the collection was made by another encoder."""
        what = f"collection {collection.name!r}"
        require_same(collection.schema.fingerprint, encoder.info.fingerprint, what)
        self._collection = collection
        self._encoder = encoder

    def search(self, query: Query) -> Answer:
        """The best assets (or points) for the query.

        Raises `InvalidQuery`, `UnknownPoint`, and what the encoder and the collection raise.
        """
        clock = _Clock()
        vector = query.vector or next(iter(self._collection.schema.vectors))
        with clock.stage("encode"):
            target = self._embed(query.parts, vector)
        with clock.stage("search"):
            result, groups = self._fetch(query, target, vector)
        with clock.stage("moments"):
            segments = self._segments(groups, query, target, vector)
        bar = self._encoder.info.match_threshold if query.only_text else None
        hits = [_found(group, segments.get(group[0].asset, group), bar) for group in groups]
        good_match = hits[0].good_match if hits else None if bar is None else False
        return Answer(hits, good_match, result.warnings, clock.took_ms)

    def _embed(self, parts: Sequence[Part], vector: str) -> NDArray[np.float32]:
        """The weighted sum of the parts' unit vectors, `[dim]`."""
        if vector not in self._collection.schema.vectors:
            known = ", ".join(self._collection.schema.vectors)
            raise InvalidQuery(f"the collection has no vector {vector!r}: it has {known}")
        rows = [part.weight * self._embed_part(part, vector) for part in parts]
        total: NDArray[np.float32] = np.sum(rows, axis=0, dtype=np.float32)
        if np.linalg.norm(total) < 1e-6:
            raise InvalidQuery("the parts of the query cancel each other out: change a weight")
        return total

    def _embed_part(self, part: Part, vector: str) -> NDArray[np.float32]:
        if part.text is not None:
            return _only_row(self._encoder.encode_texts([part.text])[vector])
        if part.image is not None:
            return _only_row(self._encoder.encode_images([part.image])[vector])
        return self._stored(cast(UUID, part.point), vector)

    def _stored(self, point: UUID, vector: str) -> NDArray[np.float32]:
        records = self._collection.get([point], with_vectors=[vector])
        if not records:
            raise UnknownPoint(f"the collection has no point {point}")
        if vector not in records[0].vectors:
            raise InvalidQuery(f"point {point} has no vector {vector!r}")
        return records[0].vectors[vector]

    def _fetch(
        self, query: Query, target: NDArray[np.float32], vector: str
    ) -> tuple[SearchResult, list[list[Hit]]]:
        """Search deeper until enough groups are found; each group is ordered, best first."""
        depth = query.limit if not query.group else min(4 * query.limit + 16, DEEPEST)
        while True:
            result = self._collection.search(
                target, vector=vector, filter=query.filter, limit=depth
            )
            groups = _by_asset(result.hits) if query.group else [[hit] for hit in result.hits]
            if len(groups) >= query.limit or len(result.hits) < depth or depth >= DEEPEST:
                return result, groups[: query.limit]
            depth = min(4 * depth, DEEPEST)

    def _segments(
        self, groups: list[list[Hit]], query: Query, target: NDArray[np.float32], vector: str
    ) -> dict[str, list[Hit]]:
        """The segments of the videos in the answer, by asset."""
        videos = [group[0].asset for group in groups if group[0].payload.get("kind") in VIDEO_KINDS]
        if not query.group or not videos:
            return {}
        of_these: list[MatchCondition | Filter] = [
            MatchCondition(key="kind", match=MatchValue(value="segment")),
            MatchCondition(key="asset", match=MatchAny(any=[*videos])),
        ]
        condition = Filter(must=[*of_these, *([query.filter] if query.filter else [])])
        hits = self._collection.search(target, vector=vector, filter=condition, limit=SEGMENTS).hits
        by_asset: defaultdict[str, list[Hit]] = defaultdict(list)
        for hit in hits:
            by_asset[hit.asset].append(hit)
        return by_asset


def _only_row(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows.reshape(-1)


def _by_asset(hits: Sequence[Hit]) -> list[list[Hit]]:
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.asset, []).append(hit)
    return list(groups.values())


def _found(group: Sequence[Hit], others: Sequence[Hit], bar: float | None) -> Found:
    best = group[0]
    segments = [hit for hit in others if hit.payload.get("kind") == "segment"]
    good = None if bar is None else best.score >= bar
    return Found(best.id, best.asset, best.score, best.payload, good, moments(segments))


class _Clock:
    def __init__(self) -> None:
        self.took_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.took_ms[name] = round((time.perf_counter() - start) * 1000, 3)
