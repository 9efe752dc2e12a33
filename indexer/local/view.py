"""What a process keeps in memory of a collection: which rows exist, and where their vectors are.

A view is immutable and stands for one version of the collection. The next is made from it by
reading what the commits in between added, so that refreshing reads no more than what changed.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CollectionDamaged
from indexer.local.rawfile import RawFile
from indexer.local.schema import read_schema

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CACHE_BYTES = 64 << 20
_ENTRY_BYTES = 400
"""Roughly what Python needs for an entry without its text (4 bytes a letter) and numbers."""


@dataclass(frozen=True)
class Rows:
    """Some rows of the table `point`: their numbers, int64 `[n]`, and which of them are visible."""

    points: Ints
    alive: Bools

    @cached_property
    def _order(self) -> Ints | None:
        """What sorts the numbers, None if they are sorted: all are but those filled in later."""
        if (self.points[1:] > self.points[:-1]).all():
            return None
        return np.argsort(self.points, kind="stable")

    def find(self, points: Ints) -> tuple[Ints, Bools]:
        """Where each of these rows stands, int64 `[m]`, and if it is here at all, bool `[m]`."""
        if not len(self.points):
            return np.zeros(len(points), np.int64), np.zeros(len(points), np.bool_)
        found = np.searchsorted(self.points, points, sorter=self._order)
        found = np.minimum(found, len(self.points) - 1)
        if self._order is not None:
            found = self._order[found]
        return found, self.points[found] == points

    def positions(self, points: Ints) -> Ints:
        """Where these rows stand, those that are not here left out."""
        positions, here = self.find(points)
        return positions[here]

    def mask(self, points: Ints) -> Bools:
        """Which of the rows are among these, bool `[n]`."""
        mask = np.zeros(len(self.points), np.bool_)
        mask[self.positions(points)] = True
        return mask


@dataclass(frozen=True)
class Vectors:
    """All vectors of one name in the order of their slots, and the rows they belong to.

    `blocks` are float32 `[m, dim]` maps of the raw files, keyed by file number; together they have
    one vector for each row.
    """

    rows: Rows
    blocks: Mapping[int, NDArray[np.float32]]

    @cached_property
    def starts(self) -> Ints:
        """The position of the first vector of each block, int64 `[blocks]`."""
        lengths = [len(block) for block in self.blocks.values()]
        return np.cumsum([0, *lengths[:-1]], dtype=np.int64)

    def gather(self, positions: Ints) -> NDArray[np.float32]:
        """A copy of the vectors at these positions, float32 `[m, dim]`."""
        blocks = list(self.blocks.values())
        if len(blocks) == 1:
            return blocks[0][positions]
        owners = np.searchsorted(self.starts, positions, side="right") - 1
        gathered = np.empty((len(positions), blocks[0].shape[1]), np.float32)
        for owner in np.unique(owners):
            chosen = owners == owner
            gathered[chosen] = blocks[owner][positions[chosen] - self.starts[owner]]
        return gathered


@dataclass
class LeafCache:
    """Row numbers that matched a condition, by its text, for the version of one view."""

    found: dict[str, Ints] = field(default_factory=dict)
    size: int = 0

    def put(self, key: str, points: Ints) -> None:
        cost = _ENTRY_BYTES + 4 * len(key) + points.nbytes
        if self.size + cost > _CACHE_BYTES:
            self.found, self.size = {}, 0
        self.found[key] = points
        self.size += cost


@dataclass(frozen=True)
class View:
    """One version of a collection. `points` are all its rows, `vectors` those of each name."""

    version: int
    layout: int
    last_range: int
    unpublished: Ints
    points: Rows
    vectors: Mapping[str, Vectors]
    cache: LeafCache = field(default_factory=LeafCache)


class Viewer:
    """Makes the views of one collection; not thread-safe."""

    def __init__(self, folder: Path, uid: UUID, dims: Mapping[str, int]) -> None:
        self._folder = folder
        self._uid = uid
        self._dims = dims
        self._view = self._empty(layout=-1)

    def current(self, connection: sqlite3.Connection) -> View:
        """The view of what the connection's open transaction sees.

        Raises `CollectionDamaged` when raw files are missing, short or not ours.
        """
        version, layout = connection.execute("SELECT version, layout FROM collection").fetchone()
        if self._view.layout != layout:
            self._dims = read_schema(connection)[1].vectors
            self._view = self._empty(layout)
        if self._view.version != version:
            self._view = self._next(connection, version)
        return self._view

    def _empty(self, layout: int) -> View:
        nothing = np.empty(0, np.int64)
        rows = Rows(nothing, np.empty(0, np.bool_))
        vectors = {name: Vectors(rows, {}) for name in self._dims}
        return View(-1, layout, 0, nothing, rows, vectors)

    def _next(self, connection: sqlite3.Connection, version: int) -> View:
        view = self._view
        last, added = self._added(connection, view.last_range)
        died = _column(
            connection,
            "SELECT rowid FROM point WHERE died IS NOT NULL AND died > ?",
            (view.version,),
        )
        unpublished = _column(
            connection,
            "SELECT rowid FROM point INDEXED BY point_unpublished "
            "WHERE died IS NULL AND born IS NULL",
        )
        published = np.setdiff1d(view.unpublished, unpublished)

        def grown(rows: Rows, new: Ints) -> Rows:
            points = np.concatenate([rows.points, new]) if len(new) else rows.points
            grown = Rows(points, np.concatenate([rows.alive, np.ones(len(new), np.bool_)]))
            grown.alive[grown.positions(published)] = True
            grown.alive[grown.positions(died)] = False
            grown.alive[grown.positions(unpublished)] = False
            return grown

        lengths = self._lengths(connection)
        vectors = {
            name: Vectors(
                grown(old.rows, added[name]), self._blocks(name, old.blocks, lengths[name])
            )
            for name, old in view.vectors.items()
        }
        for name, part in vectors.items():
            if sum(map(len, part.blocks.values())) != len(part.rows.points):
                raise CollectionDamaged(f"the ranges of vector {name!r} do not add up to its files")
        fresh = _distinct(np.concatenate(list(added.values())))
        fresh = fresh[~view.points.find(fresh)[1]]
        return replace(
            view,
            version=version,
            last_range=last,
            unpublished=unpublished,
            points=grown(view.points, fresh),
            vectors=vectors,
            cache=LeafCache(),
        )

    def _added(self, connection: sqlite3.Connection, after: int) -> tuple[int, dict[str, Ints]]:
        """The last range, and by vector name the rows whose vectors were appended since `after`."""
        parts: dict[str, list[bytes]] = {name: [] for name in self._dims}
        for number, name, points in connection.execute(
            "SELECT number, name, points FROM raw_range WHERE number > ? ORDER BY number", (after,)
        ):
            parts[name].append(points)
            after = number
        return after, {
            name: np.frombuffer(b"".join(found), "<i8").astype(np.int64)
            for name, found in parts.items()
        }

    def _lengths(self, connection: sqlite3.Connection) -> dict[str, dict[int, int]]:
        lengths: dict[str, dict[int, int]] = {name: {} for name in self._dims}
        for name, number, slots in connection.execute(
            "SELECT name, number, slots FROM raw_file ORDER BY name, number"
        ):
            lengths[name][number] = slots
        return lengths

    def _blocks(
        self, name: str, old: Mapping[int, NDArray[np.float32]], lengths: Mapping[int, int]
    ) -> dict[int, NDArray[np.float32]]:
        """Maps of the committed rows; only those of files that grew are new."""
        blocks = {}
        for number, slots in lengths.items():
            block = old.get(number)
            if block is None or len(block) != slots:
                file = RawFile(self._folder, self._uid, name, self._dims[name], number)
                block = file.map(slots)
            blocks[number] = block
        return blocks


def _distinct(numbers: Ints) -> Ints:
    """Sorted, each once; for long runs that are nearly sorted, far faster than `np.unique`."""
    numbers = np.sort(numbers)
    return numbers[np.append(True, numbers[1:] != numbers[:-1])] if len(numbers) else numbers


def _column(connection: sqlite3.Connection, sql: str, values: tuple[object, ...] = ()) -> Ints:
    return np.array([row for (row,) in connection.execute(sql, values)], np.int64)


def numbers_in(text: str | None) -> Ints:
    """The rows that SQLite's `group_concat` lists; raises `CollectionDamaged` if it does not."""
    try:
        return np.fromstring(text, np.int64, sep=",") if text else np.empty(0, np.int64)
    except ValueError as error:
        raise CollectionDamaged(f"the index of payloads is damaged: {error}") from error
