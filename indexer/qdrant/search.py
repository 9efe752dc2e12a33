"""Search: the best points in a fixed order, whichever of equals Qdrant finds first."""

from collections.abc import Sequence
from uuid import UUID

from qdrant_client import models

from indexer.base import Hit, SearchResult
from indexer.qdrant.filters import has_field
from indexer.qdrant.payloads import loaded
from indexer.qdrant.remote import RemotePoints

_DECIMALS = 6
"""Scores are sums of float32: what differs beyond this is the order of summation."""
_MOST_FETCHED = 20_000
_GROWTH = 4


def search(
    remote: RemotePoints, request: models.QueryRequest, limit: int, keys: Sequence[str]
) -> SearchResult:
    """The best `limit` points, and a warning for each of the payload keys that no point has.

    Among equals at the end of the list those of lowest id are chosen, unless there are very many.
    """
    asked = [models.QueryRequest(filter=has_field(key), limit=1) for key in keys]
    fetched = limit + 1
    found, *present = remote.query([_asking(request, fetched), *asked])
    while len(found) == fetched < _MOST_FETCHED and _score(found[-1]) == _score(found[limit - 1]):
        fetched = min(fetched * _GROWTH, _MOST_FETCHED)
        [found] = remote.query([_asking(request, fetched)])
    hits = sorted(map(_hit, found), key=lambda hit: (-hit.score, hit.id))[:limit]
    missing = [key for key, points in zip(keys, present, strict=True) if not points]
    warnings = [f"no point has a field {key!r}" for key in missing]
    exact = bool(request.params and request.params.exact)
    return SearchResult(hits, warnings, exact, "server")


def _asking(request: models.QueryRequest, limit: int) -> models.QueryRequest:
    return request.model_copy(update={"limit": limit})


def _score(point: models.ScoredPoint) -> float:
    return min(1.0, max(-1.0, round(point.score, _DECIMALS)))


def _hit(point: models.ScoredPoint) -> Hit:
    asset, payload = loaded(point.payload)
    return Hit(UUID(str(point.id)), asset, _score(point), payload)
