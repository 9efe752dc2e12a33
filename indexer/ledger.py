"""What ingestion did with each asset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Status = Literal["done", "skipped", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class LedgerRow:
    """The outcome for one asset.

    `asset` is its URI; `size` is in bytes, `mtime_ns` in nanoseconds since the epoch,
    `content_hash` a hex digest (empty when the file could not be read). `reason` says in words why
    it was skipped or failed, or what is worth knowing of one that was done ("same content as ...").
    `fingerprint` identifies the encoder and the options that made its points. `updated` is in
    seconds since the epoch; 0 is replaced by the time at which the row is recorded. `source` is the
    URI of the folder, manifest or archive it was found in, `metadata` a digest of what that said of
    it besides its content. `seconds` is how long reading and decoding it took.
    """

    asset: str
    status: Status
    reason: str = ""
    size: int = 0
    mtime_ns: int = 0
    content_hash: str = ""
    points: int = 0
    attempts: int = 1
    fingerprint: str = ""
    updated: float = 0.0
    source: str = ""
    metadata: str = ""
    seconds: float = 0.0


class Ledger(Protocol):
    """One row per asset, the latest outcome of each.

    Raises `InvalidPoint` for rows that cannot be stored, `InvalidQuery` for what cannot be looked
    up.
    """

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Insert or overwrite rows, durably, without touching any point."""
        ...

    def remove(self, assets: Sequence[str]) -> None:
        """Forget the rows of these assets, durably, without touching any point."""
        ...

    def get(self, assets: Sequence[str]) -> dict[str, LedgerRow]:
        """The rows of these assets, those unknown left out."""
        ...

    def by_hash(self, content_hashes: Sequence[str]) -> dict[str, LedgerRow]:
        """For each content hash, one done asset that has it."""
        ...

    def rows(self, status: Status | None = None, after: str = "") -> Iterator[LedgerRow]:
        """All rows, or those of one status, in URI order, behind the asset `after`."""
        ...

    def sources(self) -> Iterator[tuple[str, str]]:
        """Asset and source of every row, in URI order: far less work than `rows`."""
        ...

    def counts(self) -> dict[Status, int]:
        """How many assets stand in each status."""
        ...

    def points(self) -> int:
        """How many points all assets have, as far as the rows tell."""
        ...
