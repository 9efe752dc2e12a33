"""Describe the sealed segments of a collection, for people."""

from dataclasses import dataclass

from indexer.local.calibrate import Calibration
from indexer.local.engine import Snapshot
from indexer.local.options import IndexKind


@dataclass(frozen=True)
class SegmentInfo:
    """A segment: `rows` are in it, `live` of them in the collection; `usable` if its file is whole.

    `factory` is FAISS's description, `bytes` the size of its file, `version` the commit it shows.
    """

    number: int
    kind: IndexKind
    factory: str
    rows: int
    live: int
    bytes: int
    version: int
    usable: bool
    calibration: Calibration

    @property
    def dead_share(self) -> float:
        return 1 - self.live / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class VectorIndex:
    """The index of one vector name: `rows` visible vectors, `tail` of them in no segment."""

    name: str
    dim: int
    rows: int
    tail: int
    segments: tuple[SegmentInfo, ...]


def index_info(snapshot: Snapshot) -> list[VectorIndex]:
    return [_of(snapshot, name) for name in snapshot.view.vectors]


def _of(snapshot: Snapshot, name: str) -> VectorIndex:
    sealed = snapshot.sealed[name]
    live = {s.record.number: count for s, count in zip(sealed.segments, sealed.live, strict=True)}
    segments = tuple(
        SegmentInfo(
            *(r.number, r.kind, r.factory, r.rows, live.get(r.number, 0), r.file.bytes),
            *(r.version, r.number in live, r.calibration),
        )
        for r in sealed.records
    )
    alive = sealed.alive
    dims = [block.shape[1] for block in snapshot.view.vectors[name].blocks.values()]
    return VectorIndex(name, max(dims, default=0), alive.count, int(alive.counts[0]), segments)
