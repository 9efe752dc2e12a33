"""Before the first stage: items against the ledger, to find those with something to do."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from indexer.ledger import Ledger
from ingestion.items import Item
from ingestion.jobs import Job
from ingestion.options import Fingerprints
from ingestion.pipes import Pipe
from ingestion.progress import Listed, News

T = TypeVar("T")
GROUP = 256  # files looked up at a time


@dataclass
class FeedStage:
    """Lists items and passes on those that are new or changed."""

    items: Iterable[Item]
    ledger: Ledger
    current: Fingerprints
    retry_failed: bool
    target: Pipe[Job]
    news: Pipe[News]

    def run(self) -> None:
        """Until there are no more items."""
        for group in grouped(self.items, GROUP):
            jobs = look_up(group, self.ledger)
            standings = [job.standing(self.current) for job in jobs]
            failed_before = 0 if self.retry_failed else standings.count("failed before")
            unchanged = standings.count("unchanged") + failed_before
            self.news.put(Listed(len(jobs), unchanged, failed_before))
            for job, standing in zip(jobs, standings, strict=True):
                if standing in ("new", "changed") or (
                    standing == "failed before" and self.retry_failed
                ):
                    self.target.put(job)
        self.target.finish()


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
