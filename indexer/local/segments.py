"""Sealed segments as one version of a collection sees them: what they cover, and what is left."""

import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.local import faiss_index
from indexer.local.faiss_index import Floats, Index
from indexer.local.segment_file import FOLDER, Record, is_whole, records
from indexer.local.view import Bools, Ints, Rows, View

log = logging.getLogger("polylens")

_CACHE_BYTES = 64 << 20


@dataclass(frozen=True)
class Segment:
    """An open segment; `points` are the rows in it, int64 `[n]`, sorted."""

    record: Record
    index: Index
    points: Ints
    centroids: Floats

    def products(self, query: Floats) -> Floats:
        """Of a query `[dim]` with the centroids, float32 `[1, lists]`."""
        return faiss_index.products(self.centroids, query[None])

    def search(
        self,
        query: Floats,
        near: Floats,
        depth: int,
        probe: int,
        bitmap: NDArray[np.uint8] | None,
    ) -> Ints:
        """The rows, int64 `[m]`, that the index thinks nearest to a query `[dim]`.

        `near` are its products; `probe` lists are looked at.
        """
        probes = np.array([probe])
        found = faiss_index.search(self.index, query[None], near, depth, probes, bitmap)[0]
        there: Ints = found[found >= 0]
        return there

    @cached_property
    def most_probes(self) -> int:
        return faiss_index.most_probes(self.index)


class Shelf:
    """The segments that this process has open; safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._opened: dict[int, Segment | None] = {}

    def segments(self, records: Sequence[Record]) -> list[Segment]:
        """Those that can be used: not those missing, damaged, or without FAISS."""
        if not records or not faiss_index.check_installed():
            return []
        with self._lock:
            for record in records:
                if record.number not in self._opened:
                    self._opened[record.number] = self._open(record)
            found = [self._opened[record.number] for record in records]
        return [segment for segment in found if segment is not None]

    def forget(self, numbers: Sequence[int]) -> None:
        """Let go of segments, so that they are opened anew or not at all."""
        with self._lock:
            for number in numbers:
                self._opened.pop(number, None)

    def keep(self, numbers: set[int]) -> None:
        """Let go of all but these."""
        with self._lock:
            self._opened = {n: found for n, found in self._opened.items() if n in numbers}

    def _open(self, record: Record) -> Segment | None:
        # The whole file is read first: FAISS takes garbage for lengths and addresses.
        if not is_whole(self._folder, record.file):
            log.warning("segment %s is missing or damaged: not used", record.file.name)
            return None
        try:
            index = faiss_index.read(self._folder / FOLDER / record.file.name)
            points, centroids = faiss_index.ids_of(index), faiss_index.centroids(index)
        except (RuntimeError, MemoryError) as error:
            log.warning("segment %s cannot be opened: %s", record.file.name, error)
            return None
        return Segment(record, index, points, centroids)


@dataclass(frozen=True)
class Wanted:
    """The rows that a search may find, for as long as one version lasts.

    `mask` is bool `[n]` over the rows; `counts` says how many of them no segment has, then how many
    each has.
    """

    rows: Rows
    mask: Bools
    owner: NDArray[np.int16] | None = None

    @cached_property
    def count(self) -> int:
        return int(np.count_nonzero(self.mask))

    @cached_property
    def counts(self) -> Ints:
        if self.owner is None:
            return np.array([self.count])
        return np.bincount(self.owner[self.mask] + 1, minlength=1)

    @cached_property
    def bitmap(self) -> NDArray[np.uint8]:
        """A bit for each number of a row, lowest first."""
        bits = np.zeros(int(self.rows.points.max(initial=0)) + 1, np.bool_)
        bits[self.rows.points[self.mask]] = True
        return np.packbits(bits, bitorder="little")

    @cached_property
    def tail(self) -> tuple[int, Bools]:
        """The position of the first row wanted that no segment has; which there and after are."""
        mask = self.mask if self.owner is None else self.mask & (self.owner < 0)
        first = int(mask.argmax()) if mask.any() else len(mask)
        return first, mask[first:]

    @property
    def nbytes(self) -> int:
        return 4 * len(self.mask)


@dataclass(frozen=True)
class Sealed:
    """The segments of one vector name, and the rows of its vectors, in one version.

    `before` is what an earlier version found out, good as far as it goes.
    """

    rows: Rows
    records: tuple[Record, ...]
    shelf: Shelf
    before: "Coverage | None" = None
    _wanted: dict[str, Wanted] = field(default_factory=dict)

    @cached_property
    def coverage(self) -> "Coverage":
        before = self.before
        if before is not None and before.owner is not None:
            added = np.full(len(self.rows.points) - len(before.owner), -1, np.int16)
            owner = np.concatenate([before.owner, added]) if len(added) else before.owner
            return Coverage(before.segments, owner)
        if before is not None:
            return before
        segments = tuple(self.shelf.segments(self.records))
        return Coverage(segments, _owners(self.rows.points, segments) if segments else None)

    @property
    def segments(self) -> Sequence[Segment]:
        return self.coverage.segments

    @property
    def unusable(self) -> list[Record]:
        """Segments that should be there; their rows count as not sealed."""
        usable = {segment.record.number for segment in self.segments}
        return [record for record in self.records if record.number not in usable]

    @cached_property
    def alive(self) -> Wanted:
        return Wanted(self.rows, self.rows.alive, self.coverage.owner)

    @property
    def live(self) -> list[int]:
        """How many visible rows each segment has."""
        counts: list[int] = self.alive.counts[1:].tolist()
        return counts + [0] * (len(self.segments) - len(counts))

    def remembered(self, key: str) -> Wanted | None:
        """What the filter of this text leaves."""
        return self._wanted.get(key)

    def remember(self, key: str, mask: Bools) -> Wanted:
        held = list(self._wanted.items())
        if sum(len(text) + found.nbytes for text, found in held) > _CACHE_BYTES:
            self._wanted.clear()
        self._wanted[key] = wanted = Wanted(self.rows, mask, self.coverage.owner)
        return wanted

    def next(self, rows: Rows, records: tuple[Record, ...], *, moved: bool) -> "Sealed":
        """That of a later version; `moved` when positions are no longer what they were."""
        known = self.__dict__.get("coverage", self.before)
        if moved or [r.number for r in records] != [r.number for r in self.records]:
            known = None
        return Sealed(rows, records, self.shelf, known)


@dataclass(frozen=True)
class Coverage:
    """The usable segments; for each position the one that has its row, int16 `[n]`, -1 for none."""

    segments: tuple[Segment, ...]
    owner: NDArray[np.int16] | None


def _owners(points: Ints, segments: Sequence[Segment]) -> NDArray[np.int16]:
    lookup = np.full(int(points.max(initial=0)) + 1, -1, np.int16)
    for number, segment in enumerate(segments):
        lookup[segment.points[(segment.points >= 0) & (segment.points < len(lookup))]] = number
    return lookup[points]


class Seals:
    """What is sealed in each version of a collection; not thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder)
        self._version, self._layout = -1, -1
        self._sealed: Mapping[str, Sealed] = {}

    def current(self, connection: sqlite3.Connection, view: View) -> Mapping[str, Sealed]:
        """By vector name, for the view of what the connection's open transaction sees."""
        if (view.version, view.layout) == (self._version, self._layout):
            return self._sealed
        found = records(connection)
        self.shelf.keep({record.number for record in found})
        sealed = {}
        for name, vectors in view.vectors.items():
            own = tuple(record for record in found if record.name == name)
            old = self._sealed.get(name) or Sealed(vectors.rows, (), self.shelf)
            sealed[name] = old.next(vectors.rows, own, moved=view.layout != self._layout)
        self._version, self._layout, self._sealed = view.version, view.layout, sealed
        return sealed
