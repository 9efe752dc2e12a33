"""The requests to one Qdrant collection."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from qdrant_client import QdrantClient, models

from indexer.base import Schema
from indexer.qdrant.batches import chunks
from indexer.qdrant.description import read_description
from indexer.qdrant.server import Server

T = TypeVar("T")

_PAGE = 1000
_PAGE_OF_VECTORS = 200


class RemotePoints:
    """Every request may be repeated; `Server.call` says what it raises. Writes wait until done."""

    def __init__(self, server: Server, collection: str) -> None:
        self._server = server
        self._name = collection

    def upsert(self, points: list[models.PointStruct]) -> None:
        self._call("store points", lambda client: client.upsert(self._name, points, wait=True))

    def delete(self, selector: models.Filter | models.PointIdsList) -> None:
        self._call("delete points", lambda client: client.delete(self._name, selector, wait=True))

    def set_vectors(self, points: list[models.PointVectors]) -> None:
        self._call(
            "set vectors", lambda client: client.update_vectors(self._name, points, wait=True)
        )

    def add_vector(self, name: str, dim: int, *, on_disk: bool) -> None:
        """Adding one again that is the same does nothing."""
        dense = models.DenseVectorConfig(size=dim, distance=models.Distance.DOT)
        config = models.DenseVectorNameConfig(dense=dense)
        doing = f"add vector {name!r}"
        self._call(
            doing, lambda client: client.create_vector_name(self._name, name, config, wait=True)
        )
        if on_disk:
            diff = {name: models.VectorParamsDiff(on_disk=True)}
            self._call(
                doing, lambda client: client.update_collection(self._name, vectors_config=diff)
            )

    def describe(self, schema: Schema) -> None:
        """Change what the collection says of itself, not its uid."""

        def write(client: QdrantClient) -> None:
            found = read_description(client, self._name)
            if found is not None:
                metadata = replace(found, schema=schema).metadata()
                client.update_collection(self._name, metadata=metadata)

        self._call("describe vectors", write)

    def set_payload(self, ids: list[UUID], fields: dict[str, Any]) -> None:
        self._call(
            "set payloads",
            lambda client: client.set_payload(self._name, fields, _texts(ids), wait=True),
        )

    def overwrite_payload(self, point: UUID, fields: dict[str, Any]) -> None:
        self._call(
            "set payloads",
            lambda client: client.overwrite_payload(self._name, fields, _texts([point]), wait=True),
        )

    def delete_payload(self, ids: list[UUID], paths: list[str]) -> None:
        self._call(
            "delete payloads",
            lambda client: client.delete_payload(self._name, paths, _texts(ids), wait=True),
        )

    def count(self, tree: models.Filter | None) -> int:
        return self._call(
            "count points", lambda client: client.count(self._name, tree, exact=True)
        ).count

    def retrieve(
        self, ids: Iterable[UUID], names: Sequence[str] = (), *, with_payload: bool = True
    ) -> Iterator[models.Record]:
        """The points of these ids that exist, in no order, with the vectors of these names."""
        for chunk in chunks(dict.fromkeys(ids), _page(names)):
            yield from self._retrieve(chunk, names, with_payload)

    def scroll(
        self,
        tree: models.Filter | None,
        names: Sequence[str] = (),
        *,
        start: UUID | None = None,
        most: int | None = None,
    ) -> Iterator[models.Record]:
        """Points in id order, from `start` on, `most` of them or all, fetched in pages."""
        offset: models.ExtendedPointId | None = None if start is None else str(start)
        while most is None or most > 0:
            limit = _page(names) if most is None else min(_page(names), most)
            records, offset = self._scroll(tree, names, limit, offset)
            yield from records
            if offset is None:
                return
            most = None if most is None else most - len(records)

    def query(self, requests: list[models.QueryRequest]) -> list[list[models.ScoredPoint]]:
        """The answer to each request, all in one exchange."""
        if self._server.is_local:
            # The engine in this process looks at every point, and warns of what it does not heed.
            requests = [request.model_copy(update={"params": None}) for request in requests]
        answers = self._call(
            "search", lambda client: client.query_batch_points(self._name, requests)
        )
        return [answer.points for answer in answers]

    def _retrieve(
        self, ids: list[UUID], names: Sequence[str], with_payload: bool
    ) -> list[models.Record]:
        return self._call(
            "read points",
            lambda client: client.retrieve(
                self._name, _texts(ids), with_payload=with_payload, with_vectors=list(names)
            ),
        )

    def _scroll(
        self,
        tree: models.Filter | None,
        names: Sequence[str],
        limit: int,
        offset: models.ExtendedPointId | None,
    ) -> tuple[list[models.Record], models.ExtendedPointId | None]:
        return self._call(
            "read points",
            lambda client: client.scroll(
                self._name,
                tree,
                limit,
                offset=offset,
                with_payload=True,
                with_vectors=list(names),
            ),
        )

    def _call(self, doing: str, method: Callable[[QdrantClient], T]) -> T:
        return self._server.call(f"{doing} of collection {self._name!r}", method)


def _page(names: Sequence[str]) -> int:
    return _PAGE_OF_VECTORS if names else _PAGE


def _texts(ids: Iterable[UUID]) -> list[models.ExtendedPointId]:
    return [str(point) for point in ids]
