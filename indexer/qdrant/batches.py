"""Points as Qdrant requests of a bounded size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar
from uuid import UUID

from qdrant_client.models import PointStruct

from indexer.payload import decode
from indexer.points import Prepared
from indexer.qdrant.payloads import stored

T = TypeVar("T")

_MOST_BYTES = 8 << 20
"""Of one request, roughly; servers refuse those above 32 MB unless told otherwise."""
_BYTES_PER_NUMBER = 20
_COPIES = 3
"""A payload is sent with its terms, and as JSON within JSON's limits."""


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of `size`, the last perhaps shorter."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def requests(batch: Prepared, most: int) -> Iterator[list[PointStruct]]:
    """The points of each request, `most` at once; `InvalidPoint` is raised before the first."""
    payloads = [
        stored(asset, decode(text)) for asset, text in zip(batch.assets, batch.texts, strict=True)
    ]
    places: list[dict[str, int]] = [{} for _ in batch.ids]
    for name, (positions, _) in batch.vectors.items():
        for place, position in enumerate(positions.tolist()):
            places[position][name] = place
    request: list[PointStruct] = []
    size = 0
    for number, payload in enumerate(payloads):
        vectors = {name: batch.vectors[name][1][place] for name, place in places[number].items()}
        cost = _COPIES * len(batch.texts[number])
        cost += _BYTES_PER_NUMBER * sum(vector.size for vector in vectors.values())
        if request and (len(request) == most or size + cost > _MOST_BYTES):
            yield request
            request, size = [], 0
        numbers = {name: vector.tolist() for name, vector in vectors.items()}
        request.append(
            PointStruct(id=str(UUID(bytes=batch.ids[number])), vector=numbers, payload=payload)
        )
        size += cost
    if request:
        yield request
