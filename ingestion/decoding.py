"""The first stage: files to images and frames ready for the encoder.

Files are opened in another process, so that is where they can do harm; this module directs it.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from encoders import EncoderInfo
from indexer.base import Collection
from indexer.ledger import LedgerRow, Status
from ingestion.crew import Helper
from ingestion.errors import MediaError, NotMedia
from ingestion.hashing import hash_bytes
from ingestion.jobs import Frame, Job, Outcome, Partial
from ingestion.messages import (
    TEXT,
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
from ingestion.payloads import media_of, point_payload
from ingestion.pipes import Window
from ingestion.progress import Meter
from ingestion.twins import Points, Twins

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
        self._force = options.force
        self._twins = Twins(collection, tuple(collection.schema.vectors), patience)

    def decode(self, job: Job, helper: Helper) -> Iterator[Frame | Partial | Outcome]:
        """The frames of a file, then its outcome; whatever is wrong with the file is in that.

        Each frame's cost has been taken from the window.
        """
        case = _Case(job, self._current.image, is_forced=self._force)
        try:
            job.check()
            for answer in self._answers(case, helper):
                if isinstance(answer, Described):
                    yield from self._words(case)
                yield self._heed(case, answer)
        except NotMedia as error:
            yield case.outcome("skipped", str(error))
        except MediaError as error:
            yield case.outcome("failed", str(error))
        finally:
            self._window.give_back(case.held)

    def _answers(self, case: "_Case", helper: Helper) -> Iterator[Answer]:
        """What is to be said of an item, which need not have a file."""
        job = case.job
        if job.item.content is None:
            case.fingerprint = self._current.text
            case.content_hash = hash_bytes(job.item.text.encode())
            yield Described({})
        elif job.only_words and job.old and self._recalls(case, job.old):
            yield Described({})
        elif job.file is not None:
            yield from helper.read(job.file, partial(self._decide, case))
        else:
            raise MediaError("its points no longer exist: --force fetches it again")

    def _recalls(self, case: "_Case", old: LedgerRow) -> bool:
        """Whether the points that a file has are all there, so that it need not be read."""
        case.fingerprint, case.content_hash = old.fingerprint, old.content_hash
        case.stored = self._twins.of(old)
        return bool(case.stored)

    def _decide(self, case: "_Case", looked: Looked) -> Order:
        """Have a file decoded, unless its vectors are there already."""
        case.content_hash = looked.content_hash
        if looked.kind == "video":
            case.fingerprint = self._current.video
        if case.is_touched():
            return Order(pixels=False)
        case.stored = self._stored(case)
        if case.stored:
            return Order(pixels=False)
        if looked.kind == "image":
            case.held = self._take(looked.cost)
            return Order()
        finished = self._finished(case)
        case.staged.update(finished)
        return Order(finished=finished)

    def _finished(self, case: "_Case") -> Finished:
        """The segments that an interrupted run has staged, of this very content and options."""
        asset = case.job.item.asset
        records = self._patience(lambda: self._collection.staged(asset))
        return {
            ("segment", round(1000 * record.payload["start"])): record.payload
            for record in records
            if case.marks.items() <= record.payload.items()
        }

    def _stored(self, case: "_Case") -> Points:
        """The points of that content, be they of this file or of another one."""
        if self._force:
            return {}
        old = case.job.old
        if old is not None and case.is_known():
            return self._twins.of(old)
        return self._twins.find(case.job, case.content_hash, case.fingerprint)

    def _words(self, case: "_Case") -> Iterator[Frame]:
        """The text of an item, which is a point like any other."""
        text = case.job.item.text
        if text and not case.is_touched():
            yield Frame(case.job, text, (TEXT,), self._take(len(text)))

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
    """A file, and what is known of it so far. `held` bytes were taken from the window for it.

    `stored` are points of its content that need no encoding.
    """

    job: Job
    fingerprint: str
    is_forced: bool = False
    content_hash: str = ""
    stored: Points = field(default_factory=dict)
    held: int = 0
    staged: set[PoolKey] = field(default_factory=set)
    _start: float = field(default_factory=time.perf_counter)

    @property
    def marks(self) -> dict[str, str]:
        """What a staged point says of what it was made from, and how."""
        return {"content_hash": self.content_hash, "fingerprint": self.fingerprint}

    def is_known(self) -> bool:
        """Whether the points in the collection are of this very content, made the same way."""
        old = self.job.old
        return (
            not self.is_forced
            and old is not None
            and old.status == "done"
            and (old.content_hash, old.fingerprint) == (self.content_hash, self.fingerprint)
        )

    def is_touched(self) -> bool:
        """Whether nothing but the time of the file is new."""
        old, item = self.job.old, self.job.item
        is_said = old and (old.metadata == item.metadata or self.job.is_silent(old))
        return bool(is_said) and item.content is not None and self.is_known()

    def described(self, answer: Described) -> Outcome:
        """The outcome of a file that was read to its end."""
        if self.is_touched():
            touched = self.outcome("done", self.job.old.reason if self.job.old else "")
            return replace(touched, touched=True, points={key: {} for key in answer.points})
        item = self.job.item
        reason = "; ".join(filter(None, (answer.reason, item.note)))
        seen = {key: media_of(one.payload) for key, one in self.stored.items()}
        for key, media in answer.points.items():
            if not self.stored or key in self.stored:
                seen[key] = seen.get(key, {}) | media
        if item.text:
            seen[TEXT] = {"text": item.text}
        points = {
            key: point_payload(key[0], self.job, self.content_hash, media)
            for key, media in seen.items()
        }
        outcome = replace(self.outcome("done", reason), points=points)
        vectors = {key: dict(one.vectors) for key, one in self.stored.items()}
        return replace(outcome, vectors=vectors, staged=self.staged & points.keys())

    def outcome(self, status: Status, reason: str = "") -> Outcome:
        seconds = time.perf_counter() - self._start
        return Outcome(
            self.job, status, reason, self.content_hash, self.fingerprint, seconds=seconds
        )
