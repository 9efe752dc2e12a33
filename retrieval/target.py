"""From the parts of a query to the vectors to search with."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder
from indexer import Collection
from retrieval.errors import InvalidQuery, UnknownPoint
from retrieval.query import Part, Query
from retrieval.trace import Trace

Vector = NDArray[np.float32]


class Embedder:
    """Embeds the parts of queries over one collection."""

    def __init__(self, collection: Collection, encoder: Encoder) -> None:
        self._collection = collection
        self._encoder = encoder

    def targets(self, query: Query, names: Sequence[str], trace: Trace) -> dict[str, Vector]:
        """For each vector name the weighted sum of the parts' unit vectors, float32 `[dim]`.

        Raises `InvalidQuery`, `UnknownPoint`, and what the encoder raises.
        """
        rows = [self._rows(part, names, trace) for part in query.parts]
        return {name: _sum(query.parts, [row[name] for row in rows]) for name in names}

    def _rows(self, part: Part, names: Sequence[str], trace: Trace) -> dict[str, Vector]:
        if part.text is not None:
            with trace.stage("encode", "text") as step:
                step.count = 1
                found = self._encoder.encode_texts([part.text])
        elif part.image is not None:
            with trace.stage("encode", "image") as step:
                step.count = 1
                found = self._encoder.encode_images([part.image])
        elif part.point is not None:
            return self._stored(part, names, trace)
        else:
            return self._given(part, names)
        return {name: found[name].reshape(-1) for name in names}

    def _stored(self, part: Part, names: Sequence[str], trace: Trace) -> dict[str, Vector]:
        with trace.stage("look up", "point") as step:
            step.count = 1
            records = self._collection.get([cast(UUID, part.point)], with_vectors=names)
        if not records:
            raise UnknownPoint(f"the collection has no point {part.point}")
        for name in names:
            if name not in records[0].vectors:
                raise InvalidQuery(f"point {part.point} has no vector {name!r}")
        return dict(records[0].vectors)

    def _given(self, part: Part, names: Sequence[str]) -> dict[str, Vector]:
        vector = cast(Vector, part.vector).astype(np.float64)
        for name in names:
            dim = self._collection.schema.vectors[name]
            if len(vector) != dim:
                raise InvalidQuery(
                    f"the query vector has {len(vector)} numbers; vector {name!r} has {dim}"
                )
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return dict.fromkeys(names, unit)


def _sum(parts: Sequence[Part], rows: Sequence[Vector]) -> Vector:
    weighted = [part.weight * row for part, row in zip(parts, rows, strict=True)]
    total: Vector = np.sum(weighted, axis=0, dtype=np.float32)
    if np.linalg.norm(total) < 1e-6:
        raise InvalidQuery("the parts of the query cancel each other out: change a weight")
    return total
