"""Compaction: move live rows together, file by file, and free the space of dead ones.

Each raw file with dead rows is retired in a commit of its own: its live vectors are appended to the
last file like any others, the records of the old one go, and after the commit so does the file.
Writers take their turn in between, and a crash leaves either the old file or the new rows.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.errors import CollectionBusy
from indexer.local.engine import Engine
from indexer.local.lock import folder_lock
from indexer.local.rawfile import FOLDER
from indexer.local.reclaim import files_with_dead
from indexer.local.transaction import Transaction

_PURGED_AT_ONCE = 20_000


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: `points` dead rows are gone; bytes on disk `before` and `after`."""

    points: int
    before: int
    after: int


def compact(engine: Engine, folder: Path, timeout: float) -> Compacted:
    """Give back the room of points that died before now; as much as one raw file is needed for it.

    Raises `CollectionBusy` while somebody takes or checks a snapshot, `CollectionDamaged` where a
    checksum does not match, and `StorageError`; what was done until then stays done.
    """
    before = size(folder)
    with keep_files(folder, timeout, alone=True):
        with engine.snapshot() as snapshot:
            version = snapshot.view.version
            files = files_with_dead(snapshot.connection)
        for file in files:
            engine.committer.run_alone(partial(_retire, file))
        purged = 0
        while count := engine.committer.run_alone(lambda t: t.purge(version, _PURGED_AT_ONCE)):
            purged += count
        engine.committer.shrink()
    return Compacted(purged, before, size(folder))


def _retire(file: tuple[str, int], transaction: Transaction) -> None:
    transaction.retire(*file)


@contextmanager
def keep_files(folder: Path, timeout: float, *, alone: bool = False) -> Iterator[None]:
    """While it lasts no raw file is removed; `alone` is for who removes them, one at a time."""
    mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with folder_lock(folder / FOLDER, mode, timeout) as kept:
        if not kept:
            raise CollectionBusy(
                f"collection {folder.name!r} is being compacted, checked or copied, for more than "
                f"{timeout:g} s; try again"
            )
        yield


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
