"""Backfill: add vectors of another name to ingested points by reading the originals again."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder, EncoderInfo, EncoderMismatch, require_same
from indexer.base import AssetWrite, Collection, Page, Payload, Point, Record, Schema, Selector
from indexer.filters import Filter
from indexer.ledger import Ledger, LedgerRow
from ingestion.items import Item
from ingestion.options import IngestOptions
from ingestion.pipeline import ingest
from ingestion.progress import Progress

AGREEMENT = 0.99
"""Least cosine of a stored vector and the same one made again; rounding costs far less."""


def backfill(
    items: Iterable[Item],
    encoder: Encoder,
    collection: Collection,
    options: IngestOptions | None = None,
) -> Generator[Progress, None, None]:
    """Add the vectors that an encoder makes and a collection's points lack.

    `items` are ingested files. Files that the ledger lists for this encoder are left alone, so a
    run can be stopped and repeated. Existing vectors and payloads stay as they are. A file whose
    content changed is ingested again; one that cannot be read is an event and keeps its vectors.
    The encoder must reproduce the existing vectors, which is checked before anything is written.
    Raises `EncoderMismatch`, and what `ingest` raises.
    """
    return ingest(items, encoder, cast(Collection, Filling(collection, encoder.info)), options)


class Filling:
    """The part of a collection that ingestion uses; assets written again only gain vectors."""

    def __init__(self, collection: Collection, info: EncoderInfo) -> None:
        stored = collection.schema
        if any(info.vectors.get(name) != dim for name, dim in stored.vectors.items()):
            raise EncoderMismatch(
                f"the collection {collection.name} holds vectors {dict(stored.vectors)}; the "
                f"encoder {info.name} makes {dict(info.vectors)}, so it cannot continue them"
            )
        require_same(_text(stored.fingerprint), _text(info.fingerprint), collection.name)
        self._collection = collection
        self.name = collection.name
        self.schema = Schema(dict(info.vectors), info.name, dict(info.fingerprint))
        self.ledger = _Ledger(collection.ledger)
        self._parts: dict[str, dict[UUID, Point]] = {}

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        """Give points the vectors they lack; an asset that is not as it was is written whole."""
        assets = [self._whole(write) for write in assets]
        there = self._there(assets)
        rows = self._collection.ledger.get([write.asset for write in assets])
        same = [write for write in assets if _is_same(write, rows.get(write.asset), there)]
        points = [point for write in same for point in write.points]
        for point in points:
            _require_alike(point, there[point.id], self)
        self._widen()
        self._collection.set_vectors({p.id: _missing(p, there[p.id]) for p in points})
        self._collection.ledger.record([_recorded(write, rows[write.asset]) for write in same])
        self._collection.replace([write for write in assets if write not in same])

    def stage(self, points: Sequence[Point]) -> None:
        """Remember points of a long video until it is over: they are not to be seen before."""
        for point in points:
            self._parts.setdefault(point.asset, {})[point.id] = point

    def staged(self, _: str) -> list[Record]:
        """Nothing: a video that was interrupted is read again from its beginning."""
        return []

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        return self._collection.get(ids, with_vectors=with_vectors)

    def scroll(
        self,
        filter: Filter | None = None,  # noqa: A002 - as in `Collection`
        *,
        limit: int = 100,
        after: UUID | None = None,
        with_vectors: Sequence[str] = (),
    ) -> Page:
        return self._collection.scroll(filter, limit=limit, after=after, with_vectors=with_vectors)

    def set_payload(self, selector: Selector, payload: Payload) -> int:
        return self._collection.set_payload(selector, payload)

    def _whole(self, write: AssetWrite) -> AssetWrite:
        """The asset with the vectors of those points that were staged."""
        parts = self._parts.pop(write.asset, {})
        points = [p if p.vectors else replace(p, vectors=parts[p.id].vectors) for p in write.points]
        return replace(write, points=points)

    def _there(self, assets: Sequence[AssetWrite]) -> dict[UUID, Record]:
        names = list(self._collection.schema.vectors)
        ids = [point.id for write in assets for point in write.points]
        return {record.id: record for record in self._collection.get(ids, with_vectors=names)}

    def _widen(self) -> None:
        wanted = self.schema
        if self._collection.schema == wanted:
            return
        for name, dim in wanted.vectors.items():
            self._collection.add_vector(
                name, dim, encoder=wanted.encoder, fingerprint=wanted.fingerprint
            )


class _Ledger:
    """A ledger in which files that cannot be read again stay as they were."""

    def __init__(self, ledger: Ledger) -> None:
        self.get = ledger.get
        self.by_hash = ledger.by_hash

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Nothing: what was filled in is recorded with its vectors."""


def _text(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """The part that a query's vectors depend on; the others tell of the vector names, too."""
    return {part: value for part, value in fingerprint.items() if part == "text"}


def _is_same(write: AssetWrite, row: LedgerRow | None, there: Mapping[UUID, Record]) -> bool:
    """Whether the points of an asset are there, and are those of the content it has now."""
    return (
        row is not None
        and row.content_hash == write.row.content_hash
        and row.points == len(write.points)
        and all(point.id in there for point in write.points)
    )


def _recorded(write: AssetWrite, old: LedgerRow) -> LedgerRow:
    """The new row, with what the source had said."""
    return replace(write.row, source=old.source, metadata=old.metadata)


def _require_alike(point: Point, stored: Record, filling: Filling) -> None:
    for name, vector in stored.vectors.items():
        cosine = float(vector @ point.vectors[name])
        if cosine < AGREEMENT:
            raise EncoderMismatch(
                f"vector {name!r} of {point.asset} is not what the encoder "
                f"{filling.schema.encoder} makes of that file (cosine {cosine:.3f}): the "
                f"collection {filling.name} was made by another encoder or with other options"
            )


def _missing(point: Point, stored: Record) -> dict[str, NDArray[np.float32]]:
    return {name: v for name, v in point.vectors.items() if name not in stored.vectors}
