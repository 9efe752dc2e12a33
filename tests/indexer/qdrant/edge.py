"""Qdrant's own engine behind the HTTP of the loopback, in a process of its own.

The engine never lets go of Python's lock, so it would hold up the tests beside it. Collections,
their metadata and aliases, which the engine does not know, are kept by qdrant-client's; points,
vectors, payloads, indexes, filters and scores are all the engine's. Run as a module it serves until
standard input ends, and prints its URL first.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from tests.indexer.qdrant.edge_filters import translated
from tests.indexer.qdrant.loopback import InMemory, loopback

INDEXES = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "float": edge.PayloadSchemaType.Float,
    "datetime": edge.PayloadSchemaType.Datetime,
    "geo": edge.PayloadSchemaType.Geo,
}
DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)
Json = Any
"""What has no type before it is looked at."""


class EdgeClient(InMemory):
    """Has of `QdrantClient` what the loopback calls; a shard for each collection."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._shards: dict[str, edge.EdgeShard] = {}

    def create_collection(
        self, collection_name: str, vectors_config: Json = None, *_: Json, **named: Json
    ) -> bool:
        made = super().create_collection(collection_name, vectors_config=vectors_config, **named)
        vectors = {
            name: edge.EdgeVectorParams(size=vector.size, distance=edge.Distance.Dot)
            for name, vector in vectors_config.items()
        }
        folder = self._folder / collection_name
        config = edge.EdgeConfig(vectors=vectors, max_search_threads=1)
        self._shards[collection_name] = edge.EdgeShard.create(str(folder), config)
        return made

    def delete_collection(self, collection_name: str, *_: Json, **named: Json) -> bool:
        if shard := self._shards.pop(collection_name, None):
            shard.close()
            shutil.rmtree(self._folder / collection_name)
        return super().delete_collection(collection_name, **named)

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: Json = None, *_: Json, **__: Json
    ) -> models.UpdateResult:
        kind: Json = getattr(field_schema, "type", field_schema)
        made = edge.UpdateOperation.create_field_index(field_name, INDEXES[kind])
        return self._update(collection_name, made)

    def create_vector_name(
        self,
        collection_name: str,
        vector_name: str,
        vector_name_config: Json,
        *_: Json,
        **named: Json,
    ) -> models.UpdateResult:
        known = self.get_collection(collection_name).config.params.vectors or {}
        if vector_name not in known:
            size = vector_name_config.dense.size
            self._update(
                collection_name,
                edge.UpdateOperation.create_dense_vector(vector_name, size, edge.Distance.Dot),
            )
        return super().create_vector_name(collection_name, vector_name, vector_name_config, **named)

    def upsert(
        self, collection_name: str, points: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        made = [edge.Point(point.id, point.vector, point.payload) for point in points]
        return self._update(collection_name, edge.UpdateOperation.upsert_points(made))

    def update_vectors(
        self, collection_name: str, points: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        changed = [edge.PointVectors(point.id, point.vector) for point in points]
        return self._update(collection_name, edge.UpdateOperation.update_vectors(changed))

    def delete(
        self, collection_name: str, points_selector: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        if isinstance(points_selector, models.FilterSelector):
            tree = translated(in_rest(points_selector.filter))
            return self._update(collection_name, edge.UpdateOperation.delete_points_by_filter(tree))
        ids = points_selector.points
        return self._update(collection_name, edge.UpdateOperation.delete_points(ids))

    def set_payload(
        self, collection_name: str, payload: Json, points: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        return self._update(collection_name, edge.UpdateOperation.set_payload(points, payload))

    def overwrite_payload(
        self, collection_name: str, payload: Json, points: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        return self._update(
            collection_name, edge.UpdateOperation.overwrite_payload(points, payload)
        )

    def delete_payload(
        self, collection_name: str, keys: Json, points: Json, *_: Json, **__: Json
    ) -> models.UpdateResult:
        return self._update(collection_name, edge.UpdateOperation.delete_payload(points, keys))

    def retrieve(
        self,
        collection_name: str,
        ids: Json,
        with_payload: Json = True,
        with_vectors: Json = False,
        *_: Json,
        **__: Json,
    ) -> list[models.Record]:
        found = self._shard(collection_name).retrieve(ids, with_payload, with_vectors)
        return [record(one) for one in found]

    def scroll(
        self,
        collection_name: str,
        scroll_filter: Json = None,
        limit: int = 10,
        *_: Json,
        offset: Json = None,
        with_payload: Json = True,
        with_vectors: Json = False,
        **__: Json,
    ) -> tuple[list[models.Record], Json]:
        found, after = self._shard(collection_name).scroll(
            edge.ScrollRequest(
                offset=offset,
                limit=limit,
                filter=filter_of(scroll_filter),
                with_payload=with_payload,
                with_vector=with_vectors,
            )
        )
        return [record(one) for one in found], None if after is None else str(after)

    def count(
        self, collection_name: str, count_filter: Json = None, *_: Json, **__: Json
    ) -> models.CountResult:
        request = edge.CountRequest(exact=True, filter=filter_of(count_filter))
        return models.CountResult(count=self._shard(collection_name).count(request))

    def query_batch_points(
        self, collection_name: str, requests: Json, *_: Json, **__: Json
    ) -> list[QueryResponse]:
        shard = self._shard(collection_name)
        answers = shard.query_batch(edge.QueryBatchRequest([query(one) for one in requests]))
        return [QueryResponse(points=[scored(p) for p in answer]) for answer in answers]

    def _shard(self, name: str) -> edge.EdgeShard:
        if name not in self._shards:
            raise ValueError(f"Collection {name} not found")
        return self._shards[name]

    def _update(self, name: str, operation: edge.UpdateOperation) -> models.UpdateResult:
        self._shard(name).update(operation)
        return DONE


def query(asked: Json) -> edge.QueryRequest:
    params, near = asked.params, asked.query
    return edge.QueryRequest(
        limit=asked.limit,
        query=near and edge.Query.Nearest(getattr(near, "nearest", near), using=asked.using),
        filter=filter_of(asked.filter),
        with_payload=asked.with_payload,
        params=params and edge.SearchParams(hnsw_ef=params.hnsw_ef, exact=bool(params.exact)),
    )


def filter_of(tree: models.Filter | None) -> edge.Filter | None:
    return None if tree is None else translated(in_rest(tree))


def in_rest(tree: models.Filter) -> dict[str, Json]:
    return tree.model_dump(mode="json", by_alias=True, exclude_none=True)


def record(found: edge.Record) -> models.Record:
    return models.Record(id=str(found.id), payload=found.payload, vector=found.vector)


def scored(found: edge.ScoredPoint) -> models.ScoredPoint:
    return models.ScoredPoint(
        id=str(found.id), version=found.version, score=found.score, payload=found.payload
    )


@contextmanager
def edge_server() -> Iterator[str]:
    """The URL of such a process, which ends with the context."""
    command = [sys.executable, "-m", "tests.indexer.qdrant.edge"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the engine did not start"
        yield url
        process.communicate()
    assert process.returncode == 0


def main() -> None:
    memory = Path("/dev/shm")  # the engine syncs a lot, and nothing here need last
    scratch = TemporaryDirectory(dir=memory if memory.is_dir() else None)
    with scratch as folder, loopback(EdgeClient(Path(folder))) as served:
        print(served.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
