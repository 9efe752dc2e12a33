"""The first stage: files to images and frames ready for the encoder.

What may go wrong with a file goes wrong in another process; here that process is told what to do.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from encoders import EncoderInfo
from indexer.base import Collection, Record
from indexer.ledger import Status
from ingestion.crew import Helper
from ingestion.errors import MediaError, NotMedia
from ingestion.jobs import Frame, Job, Outcome, Partial
from ingestion.messages import (
    IMAGE,
    Answer,
    Described,
    Finished,
    Looked,
    Order,
    Part,
    PoolKey,
    Refused,
    Shown,
)
from ingestion.options import Fingerprints, IngestOptions
from ingestion.patience import Patience
from ingestion.payloads import point_payload
from ingestion.pipes import Window
from ingestion.progress import Meter
from ingestion.twins import Twins

log = logging.getLogger(__name__)


class Decoder:
    """Decodes one file after another, in as many threads as call it."""

    def __init__(
        self,
        info: EncoderInfo,
        collection: Collection,
        options: IngestOptions,
        window: Window,
        meter: Meter,
        patience: Patience,
    ) -> None:
        self._collection = collection
        self._window = window
        self._meter = meter
        self._patience = patience
        self._current = Fingerprints.of(info, options)
        names = tuple(collection.schema.vectors)
        self._twins = Twins(collection, names, self._current.image, patience)

    def decode(self, job: Job, helper: Helper) -> Iterator[Frame | Partial | Outcome]:
        """The frames of a file, then its outcome; whatever is wrong with the file is in that.

        Each frame's cost has been taken from the window.
        """
        case = _Case(job, self._current.image)
        try:
            job.check()
            for answer in helper.read(job.item.path, partial(self._decide, case)):
                yield self._heed(case, answer)
        except NotMedia as error:
            yield case.outcome("skipped", str(error))
        except MediaError as error:
            yield case.outcome("failed", str(error))
        finally:
            self._window.give_back(case.held)

    def _decide(self, case: "_Case", looked: Looked) -> Order:
        """Have a file decoded, unless its vectors are there already."""
        case.content_hash = looked.content_hash
        if looked.kind == "video":
            case.fingerprint = self._current.video
        if case.is_known():
            return Order(pixels=False)
        if looked.kind == "video":
            finished = self._finished(case)
            case.staged.update(finished)
            return Order(finished=finished)
        case.twin = self._twins.find(case.job, looked.content_hash)
        if case.twin is None:
            case.held = self._take(looked.cost)
        return Order(pixels=case.twin is None)

    def _finished(self, case: "_Case") -> Finished:
        """The segments that an interrupted run has staged, of this very content and options."""
        asset = case.job.item.asset
        records = self._patience(lambda: self._collection.staged(asset))
        return {
            ("segment", round(1000 * record.payload["start"])): record.payload
            for record in records
            if case.marks.items() <= record.payload.items()
        }

    def _heed(self, case: "_Case", answer: Answer) -> Frame | Partial | Outcome:
        match answer:
            case Shown(pixels, pools):
                self._charge(case, pixels.nbytes)
                return Frame(case.job, pixels, pools, pixels.nbytes)
            case Part(points):
                case.staged.update(points)
                return Partial(case.job, {key: says | case.marks for key, says in points.items()})
            case Described():
                return case.described(answer)
            case Refused(status, reason, trace):
                if trace:
                    log.error("unexpected, in %s:\n%s", case.job.item.asset, trace)
                return case.outcome(status, reason)

    def _charge(self, case: "_Case", count: int) -> None:
        """Let a frame have its share of what its file holds, or else take it."""
        if case.held:
            self._window.give_back(case.held - count)
            case.held = 0
        else:
            self._take(count)

    def _take(self, count: int) -> int:
        self._meter.add(0, -self._window.take(count))
        return count


@dataclass
class _Case:
    """A file, and what is known of it so far. `held` bytes were taken from the window for it."""

    job: Job
    fingerprint: str
    content_hash: str = ""
    twin: Record | None = None
    held: int = 0
    staged: set[PoolKey] = field(default_factory=set)

    @property
    def marks(self) -> dict[str, str]:
        """What a staged point says of what it was made from, and how."""
        return {"content_hash": self.content_hash, "fingerprint": self.fingerprint}

    def is_known(self) -> bool:
        """Whether the points in the collection are of this very content, made the same way."""
        old = self.job.old
        return (
            old is not None
            and old.status == "done"
            and (old.content_hash, old.fingerprint) == (self.content_hash, self.fingerprint)
        )

    def described(self, answer: Described) -> Outcome:
        """The outcome of a file that was read to its end."""
        if self.is_known():  # its time alone is new
            touched = self.outcome("done", self.job.old.reason if self.job.old else "")
            return replace(touched, touched=True, points={key: {} for key in answer.points})
        outcome = self.outcome("done", answer.reason)
        seen = dict(answer.points)
        if self.twin is not None:
            seen[IMAGE] = seen[IMAGE] | {"phash": self.twin.payload.get("phash", "")}
            outcome = replace(outcome, vectors={IMAGE: dict(self.twin.vectors)})
        points = {
            key: point_payload(key[0], self.job, self.content_hash, media)
            for key, media in seen.items()
        }
        return replace(outcome, points=points, staged=self.staged & points.keys())

    def outcome(self, status: Status, reason: str = "") -> Outcome:
        return Outcome(self.job, status, reason, self.content_hash, self.fingerprint)
