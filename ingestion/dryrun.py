"""What an ingestion would do, without doing any of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from encoders import Encoder
from indexer.base import Collection
from indexer.ledger import LedgerRow
from ingestion.errors import MediaError, NotMedia
from ingestion.feeding import GROUP, grouped
from ingestion.formats import HEAD_BYTES, MediaKind, identify
from ingestion.hashing import hash_file
from ingestion.items import Item
from ingestion.jobs import Job, Standing
from ingestion.options import Fingerprints, IngestOptions
from ingestion.pipeline import check_fits


@dataclass
class Plan:
    """Counts of files: `found == new + changed + unchanged + failed_before + skipped + unusable`.

    `failed_before` are unchanged since they failed, and tried again only with `retry_failed`;
    `skipped` are not media; `unusable` would fail, as far as their first bytes tell. Of those to
    do, `images` and `videos` count the kinds and `bytes` the size.
    """

    found: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    failed_before: int = 0
    skipped: int = 0
    unusable: int = 0
    images: int = 0
    videos: int = 0
    bytes: int = 0
    reasons: dict[str, str] = field(default_factory=dict)
    """Asset -> why it is unusable or failed before."""


def plan(
    items: Iterable[Item],
    collection: Collection | None,
    encoder: Encoder,
    options: IngestOptions | None = None,
) -> Plan:
    """What `ingest` would do; writes nothing. `collection` is None where it is yet to be made.

    Reads the first bytes of new and changed files, and all of those whose time alone is new.
    Raises what `ingest` raises at the call.
    """
    if collection is not None:
        check_fits(encoder, collection)
    options = options or IngestOptions()
    planner = _Planner(Fingerprints.of(encoder.info, options), options.retry_failed)
    for group in grouped(items, GROUP):
        known = collection.ledger.get([item.asset for item in group]) if collection else {}
        for item in group:
            planner.add(item, known.get(item.asset))
    return planner.plan


@dataclass
class _Planner:
    current: Fingerprints
    retry_failed: bool
    plan: Plan = field(default_factory=Plan)

    def add(self, item: Item, old: LedgerRow | None) -> None:
        job = Job.of(item, old)
        self.plan.found += 1
        match self._standing(job):
            case "unchanged":
                self.plan.unchanged += 1
            case "failed before":
                self.plan.reasons[item.asset] = old.reason if old else ""
                self.plan.failed_before += self._count_work(job) if self.retry_failed else 1
            case "new":
                self.plan.new += self._count_work(job)
            case "changed":
                self.plan.changed += self._count_work(job)

    def _standing(self, job: Job) -> Standing:
        standing = job.standing(self.current)
        if standing == "changed" and self._is_only_touched(job):
            return "unchanged"
        return standing

    def _is_only_touched(self, job: Job) -> bool:
        old = job.old
        if old is None or old.status != "done" or old.fingerprint not in self.current:
            return False
        try:
            return old.size == job.size and old.content_hash == hash_file(job.item.path)
        except OSError:
            return False

    def _count_work(self, job: Job) -> bool:
        """Count a file by its kind; whether there is anything to do."""
        try:
            kind = _kind(job)
        except NotMedia:
            self.plan.skipped += 1
            return False
        except (MediaError, OSError) as error:
            self.plan.unusable += 1
            self.plan.reasons[job.item.asset] = str(error)
            return False
        self.plan.images += kind == "image"
        self.plan.videos += kind == "video"
        self.plan.bytes += job.size
        return True


def _kind(job: Job) -> MediaKind:
    job.check()
    with job.item.path.open("rb") as file:
        return identify(job.item.path, file.read(HEAD_BYTES)).kind
