"""The contents of a collection and its disk use."""

from dataclasses import dataclass
from pathlib import Path

from indexer.local.database import FILE
from indexer.local.engine import Engine
from indexer.local.rawfile import FOLDER
from indexer.local.schema import read_schema


@dataclass(frozen=True)
class Usage:
    """`points` alive and `dead`; bytes of the database with its log, and of raw `vectors`.

    `dead_bytes` of the vectors belong to dead points: what a compaction would give back.
    """

    points: int
    dead: int
    database: int
    vectors: int
    dead_bytes: int


def usage(engine: Engine, folder: Path) -> Usage:
    with engine.snapshot() as snapshot:
        dims = read_schema(snapshot.connection)[1].vectors
        alive = int(snapshot.view.points.alive.sum())
        [dead] = snapshot.connection.execute(
            "SELECT count(*) FROM point WHERE died IS NOT NULL"
        ).fetchone()
        dead_bytes = sum(
            4 * dims[name] * int((~vectors.rows.alive).sum())
            for name, vectors in snapshot.view.vectors.items()
        )
    return Usage(alive, dead, *_sizes(folder), dead_bytes)


def disk_bytes(folder: Path) -> int:
    """Of the database with its log and the raw vectors, which is quick to tell."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> tuple[int, int]:
    return _bytes(folder, f"{FILE}*"), _bytes(folder / FOLDER, "*.f32")


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))
