"""One file on its way through the pipeline, and what came of it."""

import stat as stats
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from encoders import Pixels, Vectors
from indexer.ledger import LedgerRow, Status
from ingestion.errors import MediaError, NotMedia
from ingestion.items import Item
from ingestion.messages import PoolKey
from ingestion.options import Fingerprints

Standing = Literal["new", "changed", "described anew", "unchanged", "failed before"]
"""`described anew`: the content is the same, what its source says of it is not."""


@dataclass(frozen=True, eq=False)
class Job:
    """An item as it was when it was listed: `size` in bytes, and `old`, what the ledger says of it.

    `file` is where its content lies, None where there is none, or none yet. `problem` says why it
    could not be looked at. `is_asked`: its stamp was looked at, and not just taken for the old one.
    `only_words`: nothing but what its source says of it is new.
    """

    item: Item
    size: int = 0
    mtime_ns: int = 0
    old: LedgerRow | None = None
    problem: str = ""
    file: Path | None = None
    is_asked: bool = True
    only_words: bool = False

    @classmethod
    def of(cls, item: Item, old: LedgerRow | None) -> "Job":
        match item.content:
            case Path() as path:
                return cls._of_file(item, path, old)
            case None:
                return cls(item, len(item.text.encode(errors="replace")), old=old)
            case blob if blob.stamp is None:
                return cls(item, old=old, is_asked=False)
            case blob:
                return cls(item, blob.stamp.size, blob.stamp.mtime_ns, old)

    @classmethod
    def _of_file(cls, item: Item, path: Path, old: LedgerRow | None) -> "Job":
        try:
            stat = path.stat()
        except OSError as error:
            return cls(item, old=old, problem=f"cannot be read: {error.strerror or error}")
        problem = _problem(stat.st_mode)
        return cls(item, stat.st_size, stat.st_mtime_ns, old, problem, path)

    def standing(self, current: Fingerprints) -> Standing:
        """What the ledger says, going by size and time alone."""
        old = self.old
        if old is None:
            return "new"
        same = (old.size, old.mtime_ns) == (self.size, self.mtime_ns) or not self.is_asked
        if not same or old.fingerprint not in current:
            return "changed"
        if old.metadata != self.item.metadata and not self.is_silent(old):
            is_usable = old.status == "done" and self.item.content is not None
            return "described anew" if is_usable and not self.item.fault else "changed"
        return "failed before" if old.status == "failed" else "unchanged"

    def is_silent(self, old: LedgerRow) -> bool:
        """Whether its source says nothing: what another one said then stays."""
        return old.source != self.item.source and not self.item.metadata

    @property
    def is_elsewhere(self) -> bool:
        """Whether its content is to be fetched before it is decoded."""
        is_local = self.item.content is None or isinstance(self.item.content, Path)
        left = self.only_words or self.item.skip or self.item.fault or self.problem
        return not is_local and not left

    def check(self) -> None:
        """Raises `NotMedia` or `MediaError` where there is nothing to open."""
        if self.item.skip:
            raise NotMedia(self.item.skip)
        if self.item.fault or self.problem:
            raise MediaError(self.item.fault or self.problem)


@dataclass(frozen=True)
class Frame:
    """An image, or a text, ready for the encoder, and the points it is part of; `cost` in bytes."""

    job: Job
    content: Pixels | str
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
    ledger has, only its time is new; the payloads are empty. `seconds` is how long it took to come
    to this.
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
    seconds: float = 0.0

    @cached_property
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
            source=old.source if old and self.touched else self.job.item.source,
            metadata=old.metadata if old and self.touched else self.job.item.metadata,
            seconds=round(self.seconds, 4),
        )


def _problem(mode: int) -> str:
    if stats.S_ISREG(mode):
        return ""
    return "a folder that cannot be read" if stats.S_ISDIR(mode) else "not a regular file"
