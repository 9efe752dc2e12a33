"""The third stage: outcomes into the collection and its ledger."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from uuid import UUID

from indexer.base import AssetWrite, Collection, point_id
from indexer.errors import InvalidPoint
from ingestion.encoding import Encoded, Staged
from ingestion.feeding import grouped
from ingestion.jobs import Outcome
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe
from ingestion.progress import FileEvent, Meter, News, Settled

COMMIT_FILES = 256  # at most so many files in one commit
COMMIT_POINTS = 4096  # a commit is closed once it has so many points
PAGE = 1000  # points that are edited together
WRITERS = 16  # edits at a time: they share a commit, or a server works on them side by side


@dataclass
class WriteStage:
    """Commits what has come since the last commit, then tells of each file."""

    collection: Collection
    source: Pipe[Encoded | Staged]
    news: Pipe[News]
    meter: Meter
    patience: Patience
    _refusals: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Until the source is finished."""
        for batch in self._batches():
            start = time.perf_counter()
            written = self._stage(batch) if isinstance(batch, Staged) else self._commit(batch)
            points = sum(len(one.points) for one in written)
            self.meter.add(points, time.perf_counter() - start)
            for one in written:
                self.news.put(_settled(one))
        self.news.finish()

    def _batches(self) -> Iterator[list[Encoded] | Staged]:
        """What there is, up to the size of a commit, each asset once; or what is to be staged."""
        batch: dict[str, Encoded] = {}
        points = 0
        while True:
            try:
                one = self.source.poll(0) if batch else self.source.get()
            except Finished:
                if batch:
                    yield list(batch.values())
                return
            is_full = len(batch) >= COMMIT_FILES or points >= COMMIT_POINTS
            if batch and (is_full or not isinstance(one, Encoded) or _asset(one) in batch):
                yield list(batch.values())
                batch, points = {}, 0
            if isinstance(one, Encoded):
                batch[_asset(one)] = one
                points += len(one.points)
            elif one is not None:
                yield one

    def _stage(self, staged: Staged) -> list[Encoded]:
        """Keep points; where one cannot be stored, its file fails when it is over."""
        try:
            self.patience(lambda: self.collection.stage(staged.points))
        except InvalidPoint as error:
            self._refusals.setdefault(staged.job.item.asset, str(error))
        return []

    def _commit(self, batch: Sequence[Encoded]) -> list[Encoded]:
        """Write a batch; a point that cannot be stored fails its file alone."""
        batch = [self._checked(one) for one in batch]
        noted = self._note_twins(batch)
        try:
            self._write(noted)
        except InvalidPoint as error:
            if len(batch) == 1:
                if batch[0].outcome.status == "failed":
                    raise
                return self._commit([_refused(batch[0], str(error))])
            return [written for one in batch for written in self._commit([one])]
        return noted

    def _checked(self, one: Encoded) -> Encoded:
        refusal = self._refusals.pop(one.outcome.job.item.asset, "")
        return _refused(one, refusal) if refusal else one

    def _write(self, batch: Sequence[Encoded]) -> None:
        # Each with patience of its own: what was staged can be used only once.
        writes = [
            AssetWrite(one.outcome.job.item.asset, one.points, one.outcome.row)
            for one in batch
            if _is_fresh(one)
        ]
        if writes:
            self.patience(lambda: self.collection.replace(writes))
        self._touch([one.outcome for one in batch if one.outcome.touched])
        rows = [one.outcome.row for one in batch if not _is_fresh(one)]
        if rows:
            self.patience(lambda: self.collection.ledger.record(rows))

    def _touch(self, outcomes: Sequence[Outcome]) -> None:
        """Tell the points of files whose time alone is new what it is."""
        points: dict[int, list[UUID]] = {}  # by time: all members of a shard have the same
        for one in outcomes:
            ids = (point_id(one.job.item.asset, *key) for key in one.points)
            points.setdefault(one.job.mtime_ns, []).extend(ids)

        def tell(time_ns: int, ids: Sequence[UUID]) -> int:
            return self.patience(lambda: self.collection.set_payload(ids, {"mtime_ns": time_ns}))

        edits = [(at, ids) for at, all_ids in points.items() for ids in grouped(all_ids, PAGE)]
        if edits:
            with ThreadPoolExecutor(WRITERS) as pool:
                for told in [pool.submit(tell, *edit) for edit in edits]:
                    told.result()

    def _note_twins(self, batch: Sequence[Encoded]) -> list[Encoded]:
        """Say of each file done which earlier one has the same content."""
        first = {
            hash_: row.asset
            for hash_, row in self.collection.ledger.by_hash(
                [one.outcome.content_hash for one in batch if one.points]
            ).items()
        }
        return [_note_twin(one, first) if one.points else one for one in batch]


def _is_fresh(one: Encoded) -> bool:
    return one.outcome.status == "done" and not one.outcome.touched


def _asset(one: Encoded) -> str:
    return one.outcome.job.item.asset


def _note_twin(one: Encoded, first: dict[str, str]) -> Encoded:
    asset = one.outcome.job.item.asset
    twin = first.setdefault(one.outcome.content_hash, asset)
    if twin == asset:
        return one
    reason = "; ".join(filter(None, (one.outcome.reason, f"same content as {twin}")))
    return replace(one, outcome=replace(one.outcome, reason=reason))


def _refused(one: Encoded, reason: str) -> Encoded:
    return Encoded(replace(one.outcome, status="failed", reason=reason, points={}), [])


def _settled(one: Encoded) -> Settled:
    row = one.outcome.row
    event = FileEvent(row.asset, row.status, row.reason, len(one.points))
    return Settled(event, row.size, one.outcome.touched)
