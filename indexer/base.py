"""The interface of a collection, whichever engine stores it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from indexer.filters import Filter
from indexer.ledger import Ledger, LedgerRow

Kind = Literal["image", "segment", "video", "text"]
Payload = dict[str, Any]
"""A JSON object; its scalar values, and arrays of scalars, can be filtered on."""

NAMESPACE = UUID("8f5f3a52-6b0e-5c8e-9d0c-6a1f0e3f7b11")


def point_id(asset: str, kind: Kind, start_ms: int = 0) -> UUID:
    """The id of a point: UUIDv5 of its asset's URI, its kind and its start in milliseconds."""
    return uuid5(NAMESPACE, f"{kind}:{start_ms}:{asset}")


@dataclass(frozen=True)
class Schema:
    """What a collection is made for; fixed when it is created.

    `vectors` maps vector name -> dimension. `encoder` and `fingerprint` say what produced the
    vectors; the indexer only stores them.
    """

    vectors: Mapping[str, int]
    encoder: str = ""
    fingerprint: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One searchable record.

    `asset` is the URI of the media file it belongs to. `vectors` maps vector name -> `[dim]`,
    scaled to unit norm once, in float32, when stored; a point may lack some vector names.
    """

    id: UUID
    asset: str
    vectors: Mapping[str, NDArray[np.float32]]
    payload: Payload = field(default_factory=dict)


@dataclass(frozen=True)
class AssetWrite:
    """All points of one asset, which replace its old ones, and its ledger row.

    A point without vectors takes those that were staged under its id.
    """

    asset: str
    points: Sequence[Point]
    row: LedgerRow


@dataclass(frozen=True)
class Record:
    """A stored point; `vectors` has only the requested names."""

    id: UUID
    asset: str
    payload: Payload
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A point found; `score` is the cosine to the query, -1 to 1.

    For a point found by words, it is the share of its words that the query asked for, above 0 to 1.
    """

    id: UUID
    asset: str
    score: float
    payload: Payload


@dataclass(frozen=True)
class SearchResult:
    """Hits ordered by (-score, id), and how they were found.

    `exact` says whether no better point can have been missed, and `way` is the search path: `scan`
    of all points, `filter` (only those that match were looked at), `segments` of an approximate
    index, or `server`.
    """

    hits: list[Hit]
    warnings: list[str] = field(default_factory=list)
    exact: bool = True
    way: str = "scan"


@dataclass(frozen=True)
class Page:
    """Some records in id order; `next` continues after them, None at the end."""

    records: list[Record]
    next: UUID | None


Selector = Sequence[UUID] | Filter
"""The points an edit applies to: by id (unknown ids are ignored) or by filter."""


class Collection(Protocol):
    """A named set of points. Every method may be called from any thread and process.

    When a write returns, it is durable and visible to all readers; when it raises, nothing was
    written. Errors: `indexer.errors`.
    """

    @property
    def name(self) -> str: ...

    @property
    def uid(self) -> UUID:
        """Unique: a collection created again under the same name has another."""
        ...

    @property
    def schema(self) -> Schema: ...

    @property
    def ledger(self) -> Ledger:
        """What ingestion did with each asset, committed together with the points."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Store points; existing ids are replaced. Ids must be unique within the batch."""
        ...

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        """Replace each asset's points and record its ledger row, in one commit.

        What was staged for the asset is used up.
        """
        ...

    def stage(self, points: Sequence[Point]) -> None:
        """Store points of incomplete assets: durable, but invisible until `replace`.

        A point replaces a staged one of the same id; visible points are not affected.
        """
        ...

    def staged(self, asset: str) -> list[Record]:
        """The staged points of an asset in id order, without vectors."""
        ...

    def delete(self, selector: Selector) -> int:
        """Remove points; returns how many there were."""
        ...

    def set_payload(self, selector: Selector, payload: Payload) -> int:
        """Set the given top-level keys, leaving others; returns how many points it touched."""
        ...

    def delete_payload(self, selector: Selector, keys: Sequence[str]) -> int:
        """Remove top-level keys; returns how many points it touched."""
        ...

    def add_vector(
        self,
        name: str,
        dim: int,
        *,
        encoder: str | None = None,
        fingerprint: Mapping[str, str] | None = None,
    ) -> None:
        """Add a vector name to the schema; existing points lack it.

        `encoder` and `fingerprint` say what produces all the vectors, if that changes. Adding a
        name again does nothing; raises `InvalidName` if the dimension differs.
        """
        ...

    def set_vectors(self, vectors: Mapping[UUID, Mapping[str, NDArray[np.float32]]]) -> int:
        """Set vectors of points, by id and vector name, `[dim]`, leaving all else; unknown ids
        are ignored. Returns how many points it touched.
        """
        ...

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        """The records of these ids, in order, without unknown ids."""
        ...

    def scroll(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's word for it
        *,
        limit: int = 100,
        after: UUID | None = None,
        with_vectors: Sequence[str] = (),
    ) -> Page:
        """Records in id order, `limit` at a time."""
        ...

    def count(self, filter: Filter | None = None) -> int:  # noqa: A002
        """The number of points that match."""
        ...

    def search(
        self,
        query: NDArray[np.float32],
        *,
        vector: str = "default",
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
        effort: float | None = None,
        recall: float | None = None,
    ) -> SearchResult:
        """The `limit` points of highest cosine to `query` `[dim]`, of any norm but zero.

        An index may miss some of them. Give either `effort`, 0 to 1, where 1 is exact, or `recall`,
        0 to 1, the share to find on average.
        """
        ...

    def find_text(
        self,
        text: str,
        *,
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
    ) -> list[Hit]:
        """Points whose payload contains every word of `text` in its `text`, its `caption` or both.

        Points with the fewest other words come first, then the lowest id. `indexer.words` defines a
        word; a query of more than 64 words finds nothing. If more than 10,000 points match, only
        that many may be considered.
        """
        ...


class Store(Protocol):
    """All collections of an installation."""

    def names(self) -> list[str]: ...

    def create(self, name: str, schema: Schema) -> Collection:
        """Raises `CollectionExists` or `InvalidName`."""
        ...

    def open(self, name: str) -> Collection:
        """By its name or an alias.

        Raises `UnknownCollection` (naming those there are) or `CollectionDamaged`.
        """
        ...

    def drop(self, name: str) -> None:
        """Delete a collection and its aliases; raises `UnknownCollection`."""
        ...

    def aliases(self) -> dict[str, str]:
        """Other names by which collections are opened, alias -> collection, in order."""
        ...

    def set_alias(self, alias: str, collection: str) -> None:
        """Create an alias, or move it to another collection atomically.

        Raises `UnknownCollection`, `CollectionExists` where a collection has that name, and
        `InvalidName`. An alias names a collection, not another alias.
        """
        ...

    def drop_alias(self, alias: str) -> None:
        """Remove an alias, not the collection; raises `UnknownCollection`."""
        ...

    def close(self) -> None:
        """Close files and connections; the store and its collections cannot be used afterwards."""
        ...
