"""A dry run: what an ingestion would do."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from encoders import Encoder
from indexer.base import Collection
from indexer.ledger import LedgerRow
from ingestion.errors import MediaError, NotMedia
from ingestion.feeding import GROUP, grouped
from ingestion.formats import HEAD_BYTES, identify
from ingestion.hashing import hash_file
from ingestion.items import Item
from ingestion.jobs import Job, Standing
from ingestion.options import Fingerprints, IngestOptions
from ingestion.pipeline import check_fits

SAMPLE = 32  # files that stand for all in an estimate


@dataclass
class Plan:
    """Counts of files: `found == new + changed + unchanged + failed_before + skipped + unusable`.

    `failed_before` are unchanged since they failed, and tried again only with `retry_failed`;
    `skipped` are not media; `unusable` would fail, as far as their first bytes tell. Of those to
    do, `images`, `videos` and `texts` count the kinds and `bytes` the size; `elsewhere` are to be
    fetched first, and of unknown kind. `video_bytes` is the videos' share. `sample` are some of the
    images and videos.
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
    texts: int = 0
    elsewhere: int = 0
    bytes: int = 0
    video_bytes: int = 0
    sample: list[Item] = field(default_factory=list, compare=False)
    reasons: dict[str, str] = field(default_factory=dict)
    """Asset -> why it is unusable or failed before."""


def plan(
    items: Iterable[Item],
    collection: Collection | None,
    encoder: Encoder,
    options: IngestOptions | None = None,
) -> Plan:
    """What `ingest` would do; writes nothing. `collection` is None if it does not exist yet.

    Reads the first bytes of new and changed files, and all of those whose time alone is new.
    Raises what `ingest` raises at the call.
    """
    options = options or IngestOptions()
    if collection is not None:
        check_fits(encoder.info, collection, options.needs)
    planner = _Planner(Fingerprints.of(encoder.info, options), options)
    for group in grouped(items, GROUP):
        known = collection.ledger.get([item.asset for item in group]) if collection else {}
        for item in group:
            planner.add(item, known.get(item.asset))
    return planner.plan


@dataclass
class _Planner:
    current: Fingerprints
    options: IngestOptions
    plan: Plan = field(default_factory=Plan)
    chance: random.Random = field(default_factory=partial(random.Random, 0))

    def add(self, item: Item, old: LedgerRow | None) -> None:
        job = Job.of(item, old)
        self.plan.found += 1
        standing = self._standing(job)
        reason = old.reason if old else ""
        is_work = self.options.wants(standing, reason) and self._count_work(job)
        match standing:
            case "unchanged":
                self.plan.unchanged += not is_work
                self.plan.changed += is_work
            case "failed before":
                self.plan.reasons[item.asset] = reason
                self.plan.failed_before += is_work or not self.options.wants(standing, reason)
            case "new":
                self.plan.new += is_work
            case "changed" | "described anew":
                self.plan.changed += is_work

    def _standing(self, job: Job) -> Standing:
        standing = job.standing(self.current)
        if standing == "changed" and self._is_only_touched(job):
            return "unchanged"
        return standing

    def _is_only_touched(self, job: Job) -> bool:
        old = job.old
        if old is None or old.status != "done" or old.fingerprint not in self.current:
            return False
        if job.file is None or old.metadata != job.item.metadata:
            return False
        try:
            return old.size == job.size and old.content_hash == hash_file(job.file)
        except OSError:
            return False

    def _count_work(self, job: Job) -> bool:
        """Count a file by its kind; whether there is anything to do."""
        try:
            job.check()
            self._count_kind(job)
        except NotMedia:
            self.plan.skipped += 1
            return False
        except (MediaError, OSError) as error:
            self.plan.unusable += 1
            self.plan.reasons[job.item.asset] = str(error)
            return False
        self.plan.bytes += job.size
        return True

    def _count_kind(self, job: Job) -> None:
        self.plan.texts += bool(job.item.text)
        if job.is_elsewhere:
            self.plan.elsewhere += 1
        elif job.file is not None:
            with job.file.open("rb") as file:
                kind = identify(job.file, file.read(HEAD_BYTES)).kind
            self.plan.images += kind == "image"
            self.plan.videos += kind == "video"
            self.plan.video_bytes += job.size * (kind == "video")
            self._remember(job)

    def _remember(self, job: Job) -> None:
        """Keep some files of those seen so far, each with the same chance (reservoir sampling)."""
        plan, number = self.plan, self.plan.images + self.plan.videos
        if len(plan.sample) < SAMPLE:
            plan.sample.append(job.item)
        elif (at := self.chance.randrange(number)) < SAMPLE:
            plan.sample[at] = job.item
