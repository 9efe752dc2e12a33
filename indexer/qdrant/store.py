"""All collections of ours on a Qdrant server."""

from pathlib import Path
from uuid import uuid4

from qdrant_client import QdrantClient, models

from indexer.base import Schema
from indexer.checks import check_name, check_schema
from indexer.errors import CollectionExists, StorageError, UnknownCollection
from indexer.qdrant.collection import QdrantCollection
from indexer.qdrant.description import Description, read_description
from indexer.qdrant.filters import key_path
from indexer.qdrant.ledgers import Ledgers
from indexer.qdrant.options import IndexKind, Patience, QdrantOptions
from indexer.qdrant.payloads import ASSET, path
from indexer.qdrant.remote import RemotePoints
from indexer.qdrant.server import Server


class QdrantStore:
    """Satisfies `indexer.base.Store`; collections of others on the same server are left alone.

    `location` is a URL, or, for small collections of one process, `:memory:` or a folder: there
    qdrant-client's own engine looks at every point and knows neither `options` nor indexes.
    `data` is the installation's folder: it keeps the ledgers.
    """

    def __init__(
        self,
        location: str,
        data: Path,
        *,
        api_key: str | None = None,
        prefer_grpc: bool = False,
        options: QdrantOptions | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._server = Server(location, api_key=api_key, prefer_grpc=prefer_grpc, patience=patience)
        self._ledgers = Ledgers(data)
        self._options = options or QdrantOptions()

    def names(self) -> list[str]:
        """The collections there are, in order."""
        found = self._server.call("list collections", lambda client: client.get_collections())
        names = [collection.name for collection in found.collections]
        return sorted(name for name in names if self._description(name))

    def create(self, name: str, schema: Schema) -> QdrantCollection:
        """Raises `CollectionExists`, `InvalidName`, `BackendUnavailable` or `StorageError`."""
        check_name(name)
        check_schema(schema)
        doing = f"create collection {name!r}"
        if self._server.call(doing, lambda client: client.collection_exists(name)):
            raise CollectionExists(f"collection {name!r} exists already")
        made = Description(uuid4(), schema)
        try:
            self._server.call(doing, lambda client: self._create(client, name, made))
        except CollectionExists:
            # Unless it is ours: an attempt may have succeeded though its answer was lost.
            if self._description(name) != made:
                raise
        if self._description(name) != made:
            self._server.call(doing, lambda client: client.delete_collection(name))
            raise StorageError(f"could not {doing}: it keeps no metadata; use Qdrant 1.16 or later")
        self._index(name)
        return self._collection(name, made)

    def open(self, name: str) -> QdrantCollection:
        """Raises `UnknownCollection`, `InvalidName`, `NewerFormat` or `BackendUnavailable`."""
        return self._collection(name, self._known(name))

    def drop(self, name: str) -> None:
        """Remove a collection and all it holds; raises `UnknownCollection`."""
        description = self._known(name)
        self._server.call(
            f"drop collection {name!r}", lambda client: client.delete_collection(name)
        )
        self._ledgers.drop(description.uid)

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _collection(self, name: str, description: Description) -> QdrantCollection:
        ledger = self._ledgers.ledger(description.uid)
        remote = RemotePoints(self._server, name)
        return QdrantCollection(name, description.schema, remote, ledger, self._options)

    def _known(self, name: str) -> Description:
        check_name(name)
        description = self._description(name)
        if description is None:
            known = ", ".join(self.names()) or "none"
            raise UnknownCollection(f"there is no collection {name!r}; there are: {known}")
        return description

    def _description(self, name: str) -> Description | None:
        """None if it is not there, or not ours."""
        try:
            return self._server.call(
                f"read collection {name!r}", lambda client: read_description(client, name)
            )
        except UnknownCollection:
            return None

    def _create(self, client: QdrantClient, name: str, description: Description) -> None:
        options = self._options
        client.create_collection(
            name,
            vectors_config={
                vector: models.VectorParams(
                    size=dim, distance=models.Distance.DOT, on_disk=options.on_disk
                )
                for vector, dim in description.schema.vectors.items()
            },
            shard_number=options.shards,
            replication_factor=options.replicas,
            write_consistency_factor=options.write_consistency or options.replicas,
            quantization_config=_QUANTIZATION[options.quantization],
            metadata=description.metadata(),
        )

    def _index(self, name: str) -> None:
        if self._server.is_local:
            return
        self._index_field(name, path(ASSET), "text")
        for key, kind in self._options.indexes.items():
            if field := key_path(key, _PARTS[kind]):
                self._index_field(name, field, kind)

    def _index_field(self, name: str, field: str, kind: IndexKind) -> None:
        # On disk where the vectors are: for a billion points, what filters use often is large too.
        schema = _INDEXES[kind].model_copy(update={"on_disk": self._options.on_disk})
        self._server.call(
            f"index {field} of collection {name!r}",
            lambda client: client.create_payload_index(name, field, schema, wait=True),
        )


_QUANTIZATION: dict[str | None, models.QuantizationConfig | None] = {
    None: None,
    "int8": models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    ),
    "binary": models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True)),
}
_PARTS: dict[IndexKind, str] = {"text": "is", "number": "num", "time": "at", "place": "geo"}
_INDEXES: dict[
    IndexKind,
    models.KeywordIndexParams
    | models.FloatIndexParams
    | models.DatetimeIndexParams
    | models.GeoIndexParams,
] = {
    "text": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
    "number": models.FloatIndexParams(type=models.FloatIndexType.FLOAT),
    "time": models.DatetimeIndexParams(type=models.DatetimeIndexType.DATETIME),
    "place": models.GeoIndexParams(type=models.GeoIndexType.GEO),
}
