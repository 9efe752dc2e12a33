"""What a collection of vectors promises, whichever engine holds it."""

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

    `vectors` maps vector name -> dimension. `encoder` and `fingerprint` say what wrote the vectors;
    the indexer only keeps them.
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
    """All points of one asset, to take the place of those it had, and its ledger row.

    A point without vectors has those that were staged under its id.
    """

    asset: str
    points: Sequence[Point]
    row: LedgerRow


@dataclass(frozen=True)
class Record:
    """A stored point as it is read back; `vectors` holds only the names that were asked for."""

    id: UUID
    asset: str
    payload: Payload
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """A point found; `score` is the cosine to the query, -1 to 1.

    Of a point found by its words, it is the share of them that was asked for, above 0 to 1.
    """

    id: UUID
    asset: str
    score: float
    payload: Payload


@dataclass(frozen=True)
class SearchResult:
    """Hits ordered by (-score, id), and what the caller should know about them.

    `exact` says whether no better point can have been missed, `way` how they were found: `scan` of
    all points, `filter` (only those that match were looked at), `segments` of an approximate index,
    or `server`.
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
    """A named set of points. Every method is safe to call from any thread and process.

    A write has happened, durably and for all readers, when its method returns; when it raises,
    nothing of it has. Errors: `indexer.errors`.
    """

    @property
    def name(self) -> str: ...

    @property
    def uid(self) -> UUID:
        """Its own: a collection that is made anew under the same name has another."""
        ...

    @property
    def schema(self) -> Schema: ...

    @property
    def ledger(self) -> Ledger:
        """What ingestion did with each asset, kept where it commits together with the points."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Store points; one whose id exists is replaced whole. Ids must differ within the batch."""
        ...

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        """Make each asset's points those given, and record its ledger row, in one commit.

        What was staged for the asset is used up.
        """
        ...

    def stage(self, points: Sequence[Point]) -> None:
        """Keep points of assets that are not whole yet: durable, but in no read until `replace`.

        One whose id is staged already takes its place; what is visible stays as it is.
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
        """Let points have a vector of another name; those there are lack it.

        `encoder` and `fingerprint` say what wrote all the vectors, if that is new. Adding a name
        again does nothing; raises `InvalidName` where it has another dimension.
        """
        ...

    def set_vectors(self, vectors: Mapping[UUID, Mapping[str, NDArray[np.float32]]]) -> int:
        """Set vectors of points, by id and vector name, `[dim]`, leaving all else; unknown ids
        are ignored. Returns how many points it touched.
        """
        ...

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        """The records of these ids, in their order, unknown ids left out."""
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
        """How many points match."""
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

        An index may miss some of them. `effort`, 0 to 1, says how hard to look: at 1 the answer is
        exact. Or `recall`, 0 to 1, says what share of them to find on average; not both.
        """
        ...

    def find_text(
        self,
        text: str,
        *,
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
    ) -> list[Hit]:
        """Points whose payload has every word of `text` in its `text` or `caption`, or in both.

        Those of the fewest other words come first, then those of the lowest id. What a word is, and
        that a query of more than 64 finds nothing, stands in `indexer.words`. Where more than
        10,000 points have every word, it may be that only so many are looked at.
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
        """Remove a collection, all it holds and its aliases; raises `UnknownCollection`."""
        ...

    def aliases(self) -> dict[str, str]:
        """Other names by which collections are opened, alias -> collection, in order."""
        ...

    def set_alias(self, alias: str, collection: str) -> None:
        """Make an alias, or have it name another collection from one moment to the next.

        Raises `UnknownCollection`, `CollectionExists` where a collection has that name, and
        `InvalidName`. An alias names a collection, not another alias.
        """
        ...

    def drop_alias(self, alias: str) -> None:
        """Remove an alias, not the collection; raises `UnknownCollection`."""
        ...

    def close(self) -> None:
        """Let go of files and connections; the store and its collections are not used after."""
        ...
