"""Staged points of a Qdrant collection, kept on this machine until their assets are complete.

Qdrant knows no unpublished points, and to leave them out of every search would slow all of them.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.base import Record
from indexer.payload import decode
from indexer.points import Prepared, missing_vectors
from indexer.sql import select_in


def create_staging(table: str) -> str:
    """The statements that make the table. Databases have been made by them: they never change."""
    return f"""
    CREATE TABLE "{table}" (
        id BLOB NOT NULL,
        name TEXT NOT NULL,
        vector BLOB NOT NULL,
        asset TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (id, name)
    ) WITHOUT ROWID;
    CREATE INDEX "{table}_asset" ON "{table}" (asset);
    """


@dataclass(frozen=True)
class Staging:
    """A table of `create_staging`: a row for each vector, float32 little-endian, of each point."""

    open: Callable[[], AbstractContextManager[sqlite3.Connection]]
    table: str

    def put(self, batch: Prepared) -> None:
        """Keep points; those of the same ids go."""
        rows = [
            (batch.ids[at], name, vector.astype("<f4").tobytes(), batch.assets[at], batch.texts[at])
            for name, (positions, vectors) in batch.vectors.items()
            for at, vector in zip(positions.tolist(), vectors, strict=True)
        ]
        with self.open() as connection, connection:
            connection.executemany(
                f'DELETE FROM "{self.table}" WHERE id = ?',  # noqa: S608 - our names
                [(point,) for point in batch.ids],
            )
            connection.executemany(
                f'INSERT INTO "{self.table}" VALUES (?, ?, ?, ?, ?)',  # noqa: S608
                rows,
            )

    def records(self, asset: str) -> list[Record]:
        """The points of an asset in id order, without vectors."""
        sql = f'SELECT DISTINCT id, payload FROM "{self.table}" WHERE asset = ? ORDER BY id'  # noqa: S608
        with self.open() as connection:
            found = connection.execute(sql, (asset,)).fetchall()
        return [Record(UUID(bytes=point), asset, decode(text)) for point, text in found]

    def completed(self, batch: Prepared) -> Prepared:
        """A batch without vectors with those that are staged; `InvalidPoint` where none is."""
        places = {point: place for place, point in enumerate(batch.ids)}
        found: dict[str, tuple[list[int], list[NDArray[np.float32]]]] = {}
        with self.open() as connection:
            select = f'name, id, vector FROM "{self.table}" WHERE id IN'
            for name, point, vector in select_in(connection, select, batch.ids):
                positions, rows = found.setdefault(name, ([], []))
                positions.append(places[point])
                rows.append(np.frombuffer(vector, "<f4").astype(np.float32))
        there = {place for positions, _ in found.values() for place in positions}
        for point, place in places.items():
            if place not in there:
                raise missing_vectors(UUID(bytes=point))
        vectors = {
            name: (np.array(positions, np.int64), np.stack(rows))
            for name, (positions, rows) in found.items()
        }
        return replace(batch, vectors=vectors)

    def clear(self, assets: Iterable[str]) -> None:
        """Forget all points of these assets."""
        with self.open() as connection, connection:
            connection.executemany(
                f'DELETE FROM "{self.table}" WHERE asset = ?',  # noqa: S608
                [(asset,) for asset in assets],
            )
