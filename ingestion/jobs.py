"""One file on its way through the pipeline, and what came of it."""

import stat as stats
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from encoders import Pixels, Vectors
from indexer.ledger import LedgerRow, Status
from ingestion.errors import MediaError, NotMedia
from ingestion.items import Item
from ingestion.messages import PoolKey
from ingestion.options import Fingerprints

Standing = Literal["new", "changed", "unchanged", "failed before"]


@dataclass(frozen=True, eq=False)
class Job:
    """A file as it was when it was listed: `size` in bytes, and `old`, what the ledger says of it.

    `problem` says why it could not be looked at.
    """

    item: Item
    size: int = 0
    mtime_ns: int = 0
    old: LedgerRow | None = None
    problem: str = ""

    @classmethod
    def of(cls, item: Item, old: LedgerRow | None) -> "Job":
        try:
            stat = item.path.stat()
        except OSError as error:
            return cls(item, old=old, problem=f"cannot be read: {error.strerror or error}")
        return cls(item, stat.st_size, stat.st_mtime_ns, old, _problem(stat.st_mode))

    def standing(self, current: Fingerprints) -> Standing:
        """What the ledger says, going by size and time alone."""
        if self.old is None:
            return "new"
        same = (self.old.size, self.old.mtime_ns) == (self.size, self.mtime_ns)
        if not same or self.old.fingerprint not in current:
            return "changed"
        return "failed before" if self.old.status == "failed" else "unchanged"

    def check(self) -> None:
        """Raises `NotMedia` or `MediaError` where there is nothing to open."""
        if self.item.skip:
            raise NotMedia(self.item.skip)
        if self.problem:
            raise MediaError(self.problem)


@dataclass(frozen=True)
class Frame:
    """An image ready for the encoder, and the points it is part of; `cost` in bytes."""

    job: Job
    pixels: Pixels
    pools: tuple[PoolKey, ...]
    cost: int


@dataclass(frozen=True)
class Partial:
    """Points of a file whose frames have all come, though more of the file will: their payloads."""

    job: Job
    points: Mapping[PoolKey, dict[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What came of a file; it follows the file's last frame.

    `points` holds the payload of each point; `vectors` the unit vectors `[dim]` of those that need
    no encoding, `staged` names those whose vectors are staged. `touched`: the content is what the
    ledger has, only its time is new; the payloads are empty.
    """

    job: Job
    status: Status
    reason: str = ""
    content_hash: str = ""
    fingerprint: str = ""
    points: Mapping[PoolKey, dict[str, Any]] = field(default_factory=dict)
    vectors: Mapping[PoolKey, Vectors] = field(default_factory=dict)
    staged: Set[PoolKey] = frozenset()
    touched: bool = False

    def row(self) -> LedgerRow:
        """The ledger row; a file that failed keeps the points it had."""
        old = self.job.old
        kept = old.points if old else 0
        reason = self.reason
        if self.status != "done" and kept:
            reason += "; its earlier version stays searchable"
        return LedgerRow(
            asset=self.job.item.asset,
            status=self.status,
            reason=reason.encode(errors="backslashreplace").decode(),
            size=self.job.size,
            mtime_ns=self.job.mtime_ns,
            content_hash=self.content_hash,
            points=len(self.points) if self.status == "done" and not self.touched else kept,
            attempts=old.attempts + 1 if old and old.status == "failed" else 1,
            fingerprint=self.fingerprint,
            updated=time.time(),
        )


def _problem(mode: int) -> str:
    if stats.S_ISREG(mode):
        return ""
    return "a folder that cannot be read" if stats.S_ISDIR(mode) else "not a regular file"
