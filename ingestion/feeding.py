"""Before the first stage: compare items with the ledger to find those that need processing."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from indexer.ledger import Ledger
from ingestion.engine import Engine
from ingestion.items import Item
from ingestion.jobs import Job, Standing
from ingestion.options import Fingerprints, IngestOptions
from ingestion.pipes import Pipe
from ingestion.progress import Listed, News

T = TypeVar("T")
GROUP = 256  # files looked up at a time


@dataclass
class FeedStage:
    """Lists items, and has the engine do those that are new or changed."""

    items: Iterable[Item]
    ledger: Ledger
    current: Fingerprints
    options: IngestOptions
    target: Engine
    news: Pipe[News]

    def run(self) -> None:
        """Until there are no more items."""
        for group in grouped(self.items, GROUP):
            jobs = look_up(group, self.ledger)
            wanted: list[Job] = []
            left: list[Job] = []
            failed_before = 0
            for job in jobs:
                standing = job.standing(self.current)
                if self._wants(job, standing):
                    wanted.append(self._eased(job, standing))
                else:
                    left.append(job)
                    failed_before += standing == "failed before"
            skipped_before = sum(
                job.old is not None and job.old.status == "skipped" for job in left
            )
            self.news.put(Listed(len(jobs), len(left), failed_before, skipped_before))
            for job in wanted:
                self.target.put(job)
        self.target.finish()

    def _wants(self, job: Job, standing: Standing) -> bool:
        return self.options.wants(standing, job.old.reason if job.old else "")

    def _eased(self, job: Job, standing: Standing) -> Job:
        only_words = standing == "described anew" and not self.options.force
        return replace(job, only_words=only_words)


def look_up(items: Iterable[Item], ledger: Ledger) -> list[Job]:
    """The items as they are now, beside what the ledger says of them."""
    items = list(items)
    known = ledger.get([item.asset for item in items])
    return [Job.of(item, known.get(item.asset)) for item in items]


def grouped(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size`, the last one shorter."""
    iterator = iter(things)
    while group := list(itertools.islice(iterator, size)):
        yield group
