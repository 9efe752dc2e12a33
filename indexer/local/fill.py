"""Add a vector name to existing points and fill it in step by step."""

from collections.abc import Mapping
from uuid import UUID

import numpy as np

from indexer.base import Point, Record
from indexer.local import read
from indexer.local.engine import Engine, Snapshot
from indexer.local.reclaim import Floats
from indexer.local.transaction import Transaction
from indexer.points import Prepared, prepare
from indexer.sql import select_in


def set_vectors(engine: Engine, batch: Prepared) -> int:
    """Give points the vectors of a batch, in a commit of its own; how many of them there are.

    A point that lacks a name gets another slot for its row. One whose vector changes becomes a new
    row with all that it had, because a slot is never written again.
    """

    def fill(transaction: Transaction) -> int:
        select = "id, rowid FROM point WHERE died IS NULL AND born IS NOT NULL AND id IN"
        rows = dict(select_in(transaction.connection, select, batch.ids))
        # Nobody else commits meanwhile, so this is the state that the transaction began with.
        with engine.snapshot() as snapshot:
            changed = _changed(snapshot, batch, rows)
            _append_missing(transaction, snapshot, batch, rows, changed)
            _rewrite(transaction, snapshot, changed)
        return len(rows)

    return engine.committer.run_alone(fill)


def _append_missing(
    transaction: Transaction,
    snapshot: Snapshot,
    batch: Prepared,
    rows: Mapping[bytes, int],
    changed: Mapping[bytes, object],
) -> None:
    for name, (positions, vectors) in batch.vectors.items():
        ids = [batch.ids[position] for position in positions.tolist()]
        wanted = np.array([rows.get(point, 0) if point not in changed else 0 for point in ids])
        lacking = (wanted > 0) & ~snapshot.view.vectors[name].rows.find(wanted)[1]
        if lacking.any():
            transaction.append(name, wanted[lacking], vectors[lacking])


def _changed(
    snapshot: Snapshot, batch: Prepared, rows: Mapping[bytes, int]
) -> dict[bytes, dict[str, Floats]]:
    """The new vectors of each point of which a stored vector is another."""
    changed: set[bytes] = set()
    given: dict[bytes, dict[str, Floats]] = {}
    for name, (positions, vectors) in batch.vectors.items():
        stored = snapshot.view.vectors[name]
        ids = [batch.ids[position] for position in positions.tolist()]
        found, here = stored.rows.find(np.array([rows.get(point, 0) for point in ids]))
        differs = np.zeros(len(ids), np.bool_)
        if here.any():
            differs[here] = (stored.gather(found[here]) != vectors[here]).any(axis=1)
        changed |= {point for point, other in zip(ids, differs, strict=True) if other}
        for point, vector in zip(ids, vectors, strict=True):
            given.setdefault(point, {})[name] = vector
    return {point: given[point] for point in changed}


def _rewrite(
    transaction: Transaction, snapshot: Snapshot, changed: Mapping[bytes, Mapping[str, Floats]]
) -> None:
    schema = transaction.schema
    ids = [UUID(bytes=point) for point in changed]
    records = read.get(snapshot, ids, list(schema.vectors))
    points = [_point(record, changed[record.id.bytes]) for record in records]
    if points:
        transaction.upsert(prepare(points, schema))


def _point(record: Record, vectors: Mapping[str, Floats]) -> Point:
    return Point(record.id, record.asset, {**record.vectors, **vectors}, record.payload)
