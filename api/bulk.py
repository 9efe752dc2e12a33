"""Bulk ingestion, as the command line and HTTP jobs run it."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from api.census import Census
from api.ingested import Ingested
from api.installation import Installation
from encoders import BOTH, EncoderInfo, Modality
from indexer import Collection, LedgerRow
from ingestion import (
    IngestOptions,
    Item,
    Journal,
    Plan,
    Progress,
    Running,
    Seen,
    Source,
    VideoOptions,
    backfill,
    belongs,
    distinct,
    find_duplicates,
    forget,
    ingest,
    plan,
    record_duplicates,
    vanished,
)
from ingestion.estimate import estimated_seconds

if TYPE_CHECKING:
    from api.captions import Captioned, Captioner

Work = Callable[[Collection, IngestOptions], Generator[Progress]]
TRIES = 3  # at adding up, while others write


@dataclass(frozen=True)
class Reconciled:
    """How many points the collection holds, and how many its ledger accounts for.

    More may come from elsewhere; fewer are lost, or were removed by hand.
    """

    collection_points: int
    ledger_points: int

    @property
    def is_short(self) -> bool:
        return self.collection_points < self.ledger_points


class Bulk:
    """One run over some sources. What is listed is remembered, to tell what is gone."""

    def __init__(
        self,
        installation: Installation,
        sources: Sequence[Source],
        options: IngestOptions,
        name: str | None = None,
    ) -> None:
        """Into the collection `name`, by default that of the settings."""
        self.name = name or installation.settings.collection
        self.job: int | None = None
        self.copies = 0
        """How many pictures and videos look like better ones, where that was looked at."""
        self._installation = installation
        self._sources = sources
        self._options = options
        self._seen = Seen()

    def plan(self) -> tuple[Plan, float | None]:
        """What would be done, and in about how many seconds; None where nothing tells."""
        existing = self._installation.existing(self.name)
        encoder = self._installation.encoder(existing).bulk
        made = plan(self._items(), existing, encoder, self._options)
        return made, estimated_seconds(made, encoder, self._options)

    def run(self) -> Generator[Progress]:
        """Bring the collection up to date; it is made if need be, and the job is recorded.

        Raises what `ingest` and the sources raise, and at the first step.
        """
        items, polylens = self._items(), self._installation
        existing = polylens.existing(self.name)
        if polylens.settings.engine == "ray":
            with polylens.fleet(existing) as fleet:
                yield from self._run(fleet.info, existing, partial(fleet.ingest, items))
        else:
            encoder = polylens.encoder(existing)
            yield from self._run(encoder.info, existing, partial(ingest, items, encoder))

    def carry_out(self, job: Running, census: Census) -> Generator[Progress]:
        """The same for a job of the queue, into a collection that must still be there."""
        collection = self._collection()
        encoder = self._installation.encoder(collection)
        job.describe([source.uri for source in self._sources], encoder.info.name)
        fills = any(isinstance(source, Ingested) for source in self._sources)
        work = backfill if fills else ingest
        steps = work(self._items(), encoder.bulk, collection, self._options)
        yield from self._compared(job.noted(census.told(steps)), collection)

    def tidied(self, *, prune: bool) -> int:
        """How many assets with points are gone; with `prune` they are forgotten.

        Rows that tell of failures of what is gone are forgotten in any case.
        """
        collection = self._collection()
        gone = list(vanished(collection.ledger, self._sources, self._seen))
        forget(collection, (row.asset for row in gone if prune or not row.points))
        had_points = sum(row.points > 0 for row in gone)
        if prune and had_points:
            self._compare(collection)
        return had_points

    def captioner(self) -> "Captioner":
        """For the collection; raises `InvalidOption` where its encoder writes no captions."""
        from api.captions import Captioner  # imports what reads media

        return Captioner(self._installation, self._installation.existing(self.name))

    def captioned(self, captioner: "Captioner") -> Generator["Captioned"]:
        """Caption what was listed and has no caption, in this run or an earlier one."""
        return captioner.run(self._collection(), self._seen)

    def left_out(self) -> Iterator[LedgerRow]:
        """What failed or was skipped of all that was listed, in this run or an earlier one."""
        for status in ("failed", "skipped"):
            rows = self._collection().ledger.rows(status)
            yield from (row for row in rows if self._is_ours(row) and row.asset in self._seen)

    def reconciled(self) -> Reconciled:
        """What is stored, counted; other writers may be at work, so it is tried again."""
        for _ in range(TRIES):
            collection = self._collection()
            found = Reconciled(collection.count(), collection.ledger.points())
            if found.collection_points == found.ledger_points:
                break
        return found

    def _run(
        self, info: EncoderInfo, existing: Collection | None, work: Work
    ) -> Generator[Progress]:
        """See `run`; `info` is of the encoder that `work` uses."""
        collection = existing or self._installation.create(self.name, info)
        for source in self._sources:
            if source.root is not None:
                self._installation.roots.add(source.root)
        uris = [source.uri for source in self._sources]
        journal = Journal(self._installation.settings.data)
        with journal.begin(self.name, uris, _told(self._options), info.name) as job:
            self.job = job.id
            yield from self._compared(job.noted(work(collection, self._options)), collection)

    def _compared(self, steps: Iterable[Progress], collection: Collection) -> Generator[Progress]:
        """The steps; before the last one, what was stored is compared with what looks the same."""
        for step in steps:
            if step.final and step.points:
                self._compare(collection)
            yield step

    def _compare(self, collection: Collection) -> None:
        """Note what looks the same, now that there is more or less of it."""
        if self._installation.settings.near_duplicates:
            groups = find_duplicates(collection)
            record_duplicates(collection, groups)
            self.copies = sum(len(group.others) for group in groups)

    def _items(self) -> Iterator[Item]:
        """Raises `NothingFound` at once."""
        return distinct(chain.from_iterable([iter(source) for source in self._sources]), self._seen)

    def _is_ours(self, row: LedgerRow) -> bool:
        return any(belongs(source.uri, row.source, row.asset) for source in self._sources)

    def _collection(self) -> Collection:
        return self._installation.store.open(self.name)


def needs_of(sources: Sequence[Source]) -> frozenset[Modality]:
    """The towers that all of them take."""
    return frozenset(tower for tower in BOTH if any(tower in one.needs for one in sources))


def _told(options: IngestOptions) -> dict[str, object]:
    """What of the options is worth keeping with a job."""
    names = ("retry_failed", "retry_reason", "force")
    told = {name: value for name, value in asdict(options).items() if name in names and value}
    usual = asdict(VideoOptions())
    video = {k: v for k, v in asdict(options.video).items() if v != usual[k]}
    return told | ({"video": video} if video else {})
