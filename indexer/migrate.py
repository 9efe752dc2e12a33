"""A collection into another store: copied, compared, and safe to repeat."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from uuid import UUID

from indexer.base import Collection, Point, Record, Schema, Store
from indexer.checks import check_same
from indexer.errors import CopyDiffers, UnknownCollection
from indexer.ledger import LedgerRow

T = TypeVar("T")

PAGE = 500
"""Points read and written at once."""


@dataclass(frozen=True)
class Migrated:
    """What a migration did: all `points` of the source are there, `written` of them just now.

    `assets` are rows of the ledger, `checksum` the SHA-256 that both collections have.
    """

    points: int
    written: int
    assets: int
    checksum: str


def migrate(source: Collection, store: Store, name: str) -> Migrated:
    """Make the collection `name` of a store, made if need be, a copy of another.

    Points that are there already and the same are not written again, so a copy that was interrupted
    goes on. Both sides are then compared as a whole, and the ledger comes last: where that is
    missing, nothing counts as ingested. Raises `SchemaMismatch`, `CopyDiffers` where somebody wrote
    meanwhile or the copy holds other points, and what the stores raise.
    """
    began = time.time()
    target, _ = open_matching(store, name, source.schema)
    names = list(source.schema.vectors)
    original, written = Checksum(names), 0
    for page in pages(source, names):
        there = {record.id: record for record in target.get(ids_of(page), with_vectors=names)}
        missing = [r for r in page if r.id not in there or not same(r, there[r.id], names)]
        target.upsert([Point(r.id, r.asset, r.vectors, r.payload) for r in missing])
        original.add(page)
        written += len(missing)
    copy = Checksum(names)
    for page in pages(target, names):
        copy.add(page)
    if copy.hexdigest() != original.hexdigest():
        raise CopyDiffers(
            f"collection {name!r} has {copy.count} points that do not add up to the "
            f"{original.count} of {source.name!r}: stop what writes to them and repeat this, or "
            "copy to another name if it held other points before"
        )
    return Migrated(original.count, written, _copy_ledger(source, target, began), copy.hexdigest())


def open_matching(store: Store, name: str, schema: Schema) -> tuple[Collection, bool]:
    """The collection of that name, made for the schema if there is none, and if it was made.

    Raises `SchemaMismatch`.
    """
    try:
        found = store.open(name)
    except UnknownCollection:
        return store.create(name, schema), True
    check_same(schema, found.schema, name)
    return found, False


class Checksum:
    """A hash of records in id order: of their ids, assets, payloads and vectors of these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.count = 0
        self._names = sorted(names)
        self._sha = hashlib.sha256()

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self._sha.update(canonical(record, self._names))
            self.count += 1

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


def canonical(record: Record, names: Sequence[str]) -> bytes:
    """All that a record holds as bytes, the same for equal records of any store."""
    payload = json.dumps(record.payload, sort_keys=True, ensure_ascii=False)
    parts = [record.id.bytes, record.asset.encode(), payload.encode()]
    for name in names:
        vector = record.vectors.get(name)
        parts.append(b"" if vector is None else vector.astype("<f4").tobytes())
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def same(first: Record, second: Record, names: Sequence[str]) -> bool:
    return canonical(first, names) == canonical(second, names)


def pages(collection: Collection, names: Sequence[str]) -> Iterator[list[Record]]:
    """All records in id order with the vectors of these names, `PAGE` at a time."""
    after = None
    while True:
        page = collection.scroll(limit=PAGE, after=after, with_vectors=names)
        if page.records:
            yield page.records
        after = page.next
        if after is None:
            return


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of `size`, the last perhaps shorter."""
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch


def ids_of(records: Iterable[Record]) -> list[UUID]:
    return [record.id for record in records]


def _copy_ledger(source: Collection, target: Collection, began: float) -> int:
    """Rows that are as old as the points that were copied; newer ones are for the next time."""
    rows: Iterator[LedgerRow] = (row for row in source.ledger.rows() if row.updated <= began)
    count = 0
    for batch in batches(rows, PAGE):
        target.ledger.record(batch)
        count += len(batch)
    return count
