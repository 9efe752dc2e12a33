"""The polylens collections on a Qdrant server."""

from pathlib import Path
from uuid import UUID, uuid4

from qdrant_client import QdrantClient, models

from indexer.base import Schema
from indexer.checks import check_name, check_schema, refuse_alias, taken, unknown_alias
from indexer.errors import CollectionExists, StorageError, UnknownCollection
from indexer.qdrant.collection import QdrantCollection
from indexer.qdrant.description import Description, read_description
from indexer.qdrant.filters import key_path
from indexer.qdrant.ledgers import Ledgers
from indexer.qdrant.options import IndexKind, Patience, QdrantOptions
from indexer.qdrant.payloads import ASSET, path, term_path
from indexer.qdrant.remote import RemotePoints
from indexer.qdrant.server import Server
from indexer.words import KEYS


class QdrantStore:
    """Satisfies `indexer.base.Store`; collections of others on the same server are left alone.

    `location` is a URL, or, for small collections of one process, `:memory:` or a folder: there
    qdrant-client's own engine looks at every point and knows neither `options` nor indexes.
    `data` is the installation's folder: it keeps the ledgers, and what is staged.
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
        self._own_names: dict[str, UUID] = {}

    def names(self) -> list[str]:
        """The collections there are, in order."""
        return sorted(name for name in self._names() if self._description(name))

    def create(self, name: str, schema: Schema) -> QdrantCollection:
        """Raises `CollectionExists`, `InvalidName`, `BackendUnavailable` or `StorageError`."""
        check_name(name)
        check_schema(schema)
        doing = f"create collection {name!r}"
        if self._server.call(doing, lambda client: client.collection_exists(name)):
            raise taken(name, self._all_aliases().get(name))
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
        return self._collection(*self._known(name))

    def drop(self, name: str) -> None:
        """Remove a collection and all it holds; raises `UnknownCollection`."""
        collection, description = self._known(name)
        refuse_alias(name, None if collection == name else collection)
        doing = f"drop collection {name!r}"
        operations = [_deletion(alias) for alias, to in self._all_aliases().items() if to == name]
        if operations:
            self._server.call(doing, lambda client: client.update_collection_aliases(operations))
        self._server.call(doing, lambda client: client.delete_collection(name))
        self._ledgers.drop(description.uid)

    def aliases(self) -> dict[str, str]:
        """Qdrant's own aliases of collections of ours, alias -> collection, in order."""
        ours = set(self.names())
        return {alias: to for alias, to in sorted(self._all_aliases().items()) if to in ours}

    def set_alias(self, alias: str, collection: str) -> None:
        """Create an alias, or move it to another collection atomically."""
        check_name(alias)
        known, _ = self._known(collection)
        refuse_alias(collection, None if known == collection else known)
        if alias in self._names():
            raise taken(alias, None)
        target = self._all_aliases().get(alias)
        if target is not None and target not in self.names():
            raise taken(alias, target)
        create = models.CreateAlias(collection_name=collection, alias_name=alias)
        operations = [] if target is None else [_deletion(alias)]
        operations.append(models.CreateAliasOperation(create_alias=create))
        self._server.call(
            f"set the alias {alias!r}", lambda client: client.update_collection_aliases(operations)
        )

    def drop_alias(self, alias: str) -> None:
        """Remove an alias, not the collection; raises `UnknownCollection`."""
        check_name(alias)
        known = self.aliases()
        if alias not in known:
            raise unknown_alias(alias, known)
        self._server.call(
            f"remove the alias {alias!r}",
            lambda client: client.update_collection_aliases([_deletion(alias)]),
        )

    def close(self) -> None:
        """Let go of connections."""
        self._server.close()

    def _collection(self, name: str, description: Description) -> QdrantCollection:
        ledger = self._ledgers.ledger(description.uid)
        staging = self._ledgers.staging(description.uid)
        remote = RemotePoints(self._server, name)
        return QdrantCollection(
            name,
            description.uid,
            description.schema,
            remote,
            ledger,
            staging,
            self._options,
        )

    def _known(self, name: str) -> tuple[str, Description]:
        """The collection's own name, where an alias was given, and its description."""
        check_name(name)
        description = self._description(name)
        if description is None:
            known = ", ".join(self.names()) or "none"
            raise UnknownCollection(f"there is no collection {name!r}; there are: {known}")
        # What was once found to be no alias is none while it has the same uid.
        if self._own_names.get(name) != description.uid:
            if target := self._all_aliases().get(name):
                return self._known(target)
            self._own_names[name] = description.uid
        return name, description

    def _all_aliases(self) -> dict[str, str]:
        found = self._server.call("list aliases", lambda client: client.get_aliases())
        return {alias.alias_name: alias.collection_name for alias in found.aliases}

    def _names(self) -> list[str]:
        """All collections on the server, ours and others'."""
        found = self._server.call("list collections", lambda client: client.get_collections())
        return [collection.name for collection in found.collections]

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
        for key in KEYS:
            self._index_field(name, term_path(key, key, "word"), "text")
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


def _deletion(alias: str) -> models.AliasOperations:
    return models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))


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
