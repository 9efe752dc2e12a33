"""Build the parts of an installation from its settings."""

import logging
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from api.archives import Archives
from api.batcher import Timed
from api.batching import BatchingEncoder
from api.roots import Roots
from api.settings import Settings, Towers
from encoders import BOTH, EncoderInfo, LoadOptions, Modality, RGBImage, load_encoder
from indexer import (
    Collection,
    Hit,
    IndexerError,
    IndexOptions,
    LocalCollection,
    LocalStore,
    Schema,
    Store,
    UnknownCollection,
)
from indexer.checks import check_folder
from indexer.qdrant.options import Patience, QdrantOptions
from retrieval import Calibrations, Searcher
from retrieval.classify import ClassifierCache, Probes

if TYPE_CHECKING:
    from ingestion.cluster import Fleet

TOWERS: dict[Towers, frozenset[Modality]] = {
    "image": frozenset({"image"}),
    "text": frozenset({"text"}),
    "both": BOTH,
}
logger = logging.getLogger("polylens")

DEFAULT_ENCODER = "offline"  # runs anywhere, without a model hub


class Installation:
    """Store, encoder and folders of one data folder; safe to share between threads.

    Leaving it as a context manager closes the store.
    """

    def __init__(self, settings: Settings, needs: frozenset[Modality] = BOTH) -> None:
        """`needs` are the towers that encoders are loaded with, unless the settings say."""
        self.settings = settings
        self._towers = TOWERS[settings.towers] if settings.towers else needs
        self._encoders: dict[str, BatchingEncoder] = {}
        self.timed: Timed = lambda _stage, _seconds: None
        self._loading = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    @cached_property
    def store(self) -> Store:
        url = self.settings.qdrant_url
        if url is not None:
            return self.qdrant_store(url)
        options = IndexOptions(self.settings.index_kind, recall=self.settings.index_recall)
        return LocalStore(self.settings.data, index=options)

    def qdrant_store(self, url: str) -> Store:
        """The collections on a Qdrant server, with the settings there are for it."""
        from indexer.qdrant.store import QdrantStore  # its client takes a second to import

        settings = self.settings
        secret = settings.qdrant_api_key
        return QdrantStore(
            url,
            settings.data,
            api_key=secret.get_secret_value() if secret else None,
            prefer_grpc=settings.qdrant_grpc,
            options=_qdrant_options(settings),
            patience=Patience(timeout=settings.qdrant_timeout),
        )

    def store_at(self, target: str) -> Store:
        """The collections on the Qdrant server at a URL, or in another data folder."""
        if "://" in target:
            return self.qdrant_store(target)
        check_folder(target)
        return LocalStore(Path(target))

    def check_indexes(self) -> None:
        """Check and seal every local collection, in the background."""
        for name in self.store.names():
            try:
                collection = self.store.open(name)
            except IndexerError as error:  # told to whoever asks for this collection
                logger.warning("collection %r is not checked: %s", name, error)
                continue
            if isinstance(collection, LocalCollection):
                collection.check_index()

    @cached_property
    def roots(self) -> Roots:
        """The folders whose originals may be served."""
        return Roots(self.settings.data, self.settings.roots)

    @property
    def media(self) -> Path:
        """Folder of uploads, content-addressed, and of thumbnails."""
        return self.settings.data / "media"

    @property
    def probes(self) -> Probes:
        """The classifiers trained or imported here."""
        return Probes(self.settings.data / "probes")

    @property
    def calibrations(self) -> Calibrations:
        """What scores mean in the collections that were calibrated, local or not."""
        return Calibrations(self.settings.data / "relevance")

    @property
    def classifiers(self) -> ClassifierCache:
        """Zero-shot classifiers made before; may be deleted at any time."""
        return ClassifierCache(self.settings.data / "cache" / "classifiers")

    @property
    def encoder_name(self) -> str:
        """The encoder of new collections."""
        return self.settings.encoder or DEFAULT_ENCODER

    @property
    def snapshots(self) -> Archives:
        """Those that were given no other place."""
        return Archives(self.settings.data / "snapshots", ".tar")

    @property
    def exports(self) -> Archives:
        """Those that were made, or sent, over HTTP."""
        return Archives(self.settings.data / "exports")

    @property
    def encoders(self) -> list[BatchingEncoder]:
        """Those that were loaded."""
        return list(self._encoders.values())

    def encoder(self, collection: Collection | None = None) -> BatchingEncoder:
        """The encoder of the settings, else the one the collection was made by, else the default.

        Loaded once; raises what `load_encoder` raises.
        """
        return self._load(self._encoder_of(collection))

    def fleet(self, collection: Collection | None = None) -> "Fleet":
        """The same encoder in the actors of a Ray cluster; raises `IngestError`."""
        from ingestion.cluster import open_fleet, refuse_local

        refuse_local(self.store)
        name = self._encoder_of(collection)
        return open_fleet(name, self._load_options(), self.settings.ray_address)

    def collection(self) -> Collection | None:
        """The one of the settings, where there is one."""
        return self.existing(self.settings.collection)

    def open_or_create(self, name: str) -> Collection:
        """The collection of that name, made for `encoder()` if it is new."""
        return self.existing(name) or self.create(name)

    def existing(self, name: str) -> Collection | None:
        """The collection of that name or alias, if there is one."""
        try:
            return self.store.open(name)
        except UnknownCollection:
            return None

    def create(self, name: str, info: EncoderInfo | None = None) -> Collection:
        """A new collection for the encoder of that `info`, or `encoder()`.

        Raises `CollectionExists`.
        """
        info = info or self.encoder().info
        schema = Schema(info.vectors, encoder=info.name, fingerprint=info.fingerprint)
        return self.store.create(name, schema)

    def searcher(self, name: str) -> Searcher:
        """Searches a collection with its encoder.

        Raises `UnknownCollection`, and `EncoderMismatch` where the settings name another encoder.
        """
        collection = self.store.open(name)
        known = self.calibrations.get(collection)
        return Searcher(collection, self.encoder(collection), self._show, known)

    def _show(self, hit: Hit) -> RGBImage | None:
        """What stands for a point, for a model that looks at it."""
        from api.stored import picture_of  # imports what reads media

        return picture_of(self, hit)

    def _load(self, name: str) -> BatchingEncoder:
        with self._loading:
            if name not in self._encoders:
                self._encoders[name] = BatchingEncoder(
                    load_encoder(name, self._load_options()), self.settings.batching, self.timed
                )
            return self._encoders[name]

    def _encoder_of(self, collection: Collection | None) -> str:
        own = collection.schema.encoder if collection else None
        return self.settings.encoder or own or DEFAULT_ENCODER

    def _load_options(self) -> LoadOptions:
        key = self.settings.encoder_key
        return LoadOptions(
            device=self.settings.device,
            dtype=self.settings.dtype,
            towers=self._towers,
            compile=self.settings.compile,
            key=key.get_secret_value() if key else None,
        )


def _qdrant_options(settings: Settings) -> QdrantOptions:
    return QdrantOptions(
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
        write_consistency=settings.qdrant_write_consistency,
        on_disk=settings.qdrant_on_disk,
        quantization=settings.qdrant_quantization,
        indexes=settings.qdrant_indexes,
        oversampling=settings.qdrant_oversampling,
        batch=settings.qdrant_batch,
    )
