"""Sealing: an index is built off to the side, written, and published in one commit."""

import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from indexer.errors import IndexerError, StorageError
from indexer.local import faiss_index, segment_file
from indexer.local.calibrate import TIERS, calibrate
from indexer.local.engine import Engine, Snapshot
from indexer.local.faiss_index import Floats, Index
from indexer.local.lock import folder_lock
from indexer.local.memory import give_back
from indexer.local.options import IndexKind, IndexOptions
from indexer.local.segment_file import FOLDER, Record, SegmentFile
from indexer.local.segments import Sealed
from indexer.local.transaction import Transaction
from indexer.local.trial import Queries, Source, Trial, image_like, text_like
from indexer.local.view import Ints, Vectors

log = logging.getLogger("polylens")

_DEAD_SHARE = 0.2
_MERGE_RATIO = 2
"""A segment at most so many times as large as what is sealed is merged with it."""
_AT_ONCE = 4096
_ENOUGH_TEXTS = 128
_TEXTS = "SELECT point FROM kv WHERE key = 'kind' AND type = 's' AND value = 'text' LIMIT 100000"


class Busy(Exception):
    """Another thread or process is sealing."""


@dataclass(frozen=True)
class Plan:
    """What to seal: the segments `replaced`, and the `positions` of the rows for a new one."""

    name: str
    replaced: tuple[int, ...]
    positions: Ints
    vectors: Vectors
    version: int
    texts: Ints

    @property
    def ids(self) -> Ints:
        return self.vectors.rows.points[self.positions]

    @property
    def dim(self) -> int:
        dim: int = next(iter(self.vectors.blocks.values())).shape[1]
        return dim

    def parts(self) -> Iterator[tuple[Ints, Floats]]:
        """Ids and vectors, some at a time."""
        ids = self.ids
        for start in range(0, len(ids), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            yield ids[part], self.vectors.gather(self.positions[part])

    def sample(self, most: int, random: np.random.Generator) -> tuple[Ints, Floats]:
        """At most so many of them, in no order."""
        chosen = random.choice(self.positions, min(most, len(self.positions)), replace=False)
        return self.vectors.rows.points[chosen], self.vectors.gather(chosen)


def seal(engine: Engine, name: str, options: IndexOptions, *, all_rows: bool = False) -> bool:
    """Do the next thing that is due for a vector name; False when nothing was.

    With `all_rows` even a short tail is sealed, and what is not of the kind asked for. Raises
    `Busy`, `StorageError` or `CollectionDamaged`.
    """
    folder = engine.folder / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write to {engine.folder}: {error.strerror}") from error
    with folder_lock(folder, fcntl.LOCK_EX) as alone:
        if not alone:
            raise Busy
        with engine.snapshot() as snapshot:
            segment_file.sweep(engine.folder, snapshot.connection)
            plan = planned(snapshot, name, options, all_rows=all_rows)
        if plan is None:
            return False
        segment_file.check_writable(engine.folder)
        record = _built(engine.folder, plan, options) if len(plan.positions) else None
        published = engine.committer.run_alone(partial(_publish, plan, record))
        with engine.snapshot() as snapshot:
            segment_file.sweep(engine.folder, snapshot.connection)
        return published


def tidy(engine: Engine) -> None:
    """Remove what a builder that died has left, unless another is at work."""
    folder = engine.folder / FOLDER
    with suppress(OSError, IndexerError), folder_lock(folder, fcntl.LOCK_EX) as alone:
        if alone:
            with engine.reading() as connection:
                segment_file.sweep(engine.folder, connection)


def unsealed(snapshot: Snapshot, options: IndexOptions) -> int:
    """How many visible vectors are in no segment: of the names that get one, the most."""
    names = options.names(snapshot.view.vectors)
    return max(int(snapshot.sealed[name].alive.counts[0]) for name in names)


def planned(
    snapshot: Snapshot, name: str, options: IndexOptions, *, all_rows: bool = False
) -> Plan | None:
    """What is due: a long tail, segments with many dead rows, and those that cannot be used."""
    sealed = snapshot.sealed[name]
    records = [segment.record for segment in sealed.segments]
    live = {r.number: count for r, count in zip(records, sealed.live, strict=True)}
    unfit = {r.number for r in records if r.rows - live[r.number] > _DEAD_SHARE * r.rows}
    if all_rows and options.kind != "auto":
        unfit |= {record.number for record in records if record.kind != options.kind}
    lost = {record.number for record in sealed.unusable}
    [tail] = sealed.alive.counts[:1].tolist()
    if not (tail > options.tail_rows or unfit or lost or (all_rows and tail)):
        return None
    size = tail + sum(live[number] for number in unfit)
    for number in sorted(live, key=live.__getitem__):
        if number not in unfit and live[number] <= _MERGE_RATIO * size:
            unfit.add(number)
            size += live[number]
    few = size <= options.tail_rows and not all_rows
    positions = np.empty(0, np.int64) if few else _positions(sealed, unfit)
    texts = np.array([row for (row,) in snapshot.connection.execute(_TEXTS)], np.int64)
    replaced = tuple(sorted(unfit | lost))
    vectors, version = snapshot.view.vectors[name], snapshot.view.version
    return Plan(name, replaced, positions, vectors, version, texts)


def _positions(sealed: Sealed, numbers: set[int]) -> Ints:
    """Of the live rows that no segment has, or one of these."""
    owner = sealed.coverage.owner
    if owner is None:
        return np.flatnonzero(sealed.rows.alive)
    places = [place for place, s in enumerate(sealed.segments) if s.record.number in numbers]
    return np.flatnonzero(sealed.rows.alive & np.isin(owner, [-1, *places]))


def _built(folder: Path, plan: Plan, options: IndexOptions) -> Record:
    """An index of the first kind that reaches the recall asked for, or of the last."""
    rows = len(plan.positions)
    random = np.random.default_rng(plan.version)
    images = image_like(*plan.sample(max(TIERS.values()), random), random)
    texts, source = _text_queries(plan, random)
    trial = Trial.over([*texts, images], source, min(max(TIERS), rows), plan.parts)
    index: Index = None
    for kind in options.kinds_of(rows, plan.dim, faiss_index.memory()):
        del index  # before the next one takes as much
        give_back()
        description, index = _index(plan, kind, options, random)
        calibration = calibrate(index, kind, rows, trial, threads=options.threads)
        if calibration.reaches(options.recall):
            break
    file = segment_file.write(folder, plan.name, index)
    return Record(0, plan.name, kind, description, calibration, file, rows, plan.version)


def _index(
    plan: Plan, kind: IndexKind, options: IndexOptions, random: np.random.Generator
) -> tuple[str, Index]:
    rows = len(plan.positions)
    description = faiss_index.factory(kind, rows, plan.dim)
    log.info("sealing %d vectors %r as %s", rows, plan.name, description)
    wanted = faiss_index.training_rows(rows)
    threads = options.threads
    # The sample is large, and nobody's any more once the index is trained.
    index = faiss_index.trained(description, plan.sample(wanted, random)[1], threads=threads)
    faiss_index.fill(index, plan.parts(), threads=threads)
    return description, index


def _text_queries(plan: Plan, random: np.random.Generator) -> tuple[list[Queries], Source]:
    """Texts of the collection, if there are enough of them; else made up."""
    most = max(TIERS.values())
    stored = plan.vectors.rows.positions(plan.texts)
    if len(stored) >= _ENOUGH_TEXTS:
        chosen = np.sort(random.choice(stored, min(most, len(stored)), replace=False))
        own = Queries(plan.vectors.gather(chosen), plan.vectors.rows.points[chosen])
        return [own], "stored"
    ids, vectors = plan.sample(most, random)
    return text_like(ids, vectors, random), "made"


def _publish(plan: Plan, record: Record | None, transaction: Transaction) -> bool:
    """Put the new segment in the place of the old; False when these changed meanwhile."""
    connection = transaction.connection
    there = {number for (number,) in connection.execute("SELECT number FROM segment")}
    if not there.issuperset(plan.replaced):
        return False
    transaction.execute("DELETE FROM segment WHERE number = ?", [(n,) for n in plan.replaced])
    if record is not None:
        transaction.execute(*_insertion(record))
    return True


def _insertion(record: Record) -> tuple[str, Sequence[Sequence[object]]]:
    file: SegmentFile = record.file
    row = (
        *(record.name, record.kind, record.factory, record.calibration.dump()),
        *(file.name, file.bytes, file.sha256, record.rows, record.version),
    )
    columns = "name, kind, factory, calibration, file, bytes, sha256, rows, version"
    marks = ",".join("?" * len(row))
    return f"INSERT INTO segment ({columns}) VALUES ({marks})", [row]  # noqa: S608
