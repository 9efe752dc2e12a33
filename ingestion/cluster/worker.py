"""What an actor does: the local engine, for one group of files after another."""

import pickle
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError

from encoders import (
    LoadOptions,
    load_encoder,
    require_same,
)
from encoders.base import EncoderInfo
from encoders.turns import EncoderInTurns
from encoders.workers.process import portable
from indexer.base import Schema
from ingestion.cluster.desk import Asking
from ingestion.encoding import Encoded, Staged
from ingestion.engine import LocalEngine
from ingestion.errors import EncodingStopped
from ingestion.jobs import Job, Outcome
from ingestion.options import Fingerprints, IngestOptions, default_workers
from ingestion.patience import Patience
from ingestion.pipes import Finished, Stopped, Window
from ingestion.threads import Threads

TRIES = 16  # at a group, whose actor dies each time: more than a few files to blame
DEATHS = 2  # of a file that is alone with its actor
EVERY = 0.5  # seconds after which the driver is told what is finished of a group
LANES = 2  # groups at a time: one is decoded while the other's last files are encoded


@dataclass(frozen=True)
class Orders:
    """What all actors of a job are told. `desk` is the actor to ask; up to `neighbours` of them
    share a machine."""

    encoder: str
    load: LoadOptions
    name: str
    schema: Schema
    options: IngestOptions
    desk: Any
    neighbours: int


@dataclass(frozen=True)
class Done:
    """A group whose files are finished, and what the stages did in how many seconds.

    `encoded` are those of its files that were not told before.
    """

    number: int
    encoded: Sequence[Encoded]
    decode: tuple[int, float] = (0, 0.0)
    encode: tuple[int, float] = (0, 0.0)

    @classmethod
    def of(cls, number: int, parts: Sequence["Done"]) -> "Done":
        """Of the parts of a group."""
        return cls(
            number,
            [one for part in parts for one in part.encoded],
            (sum(part.decode[0] for part in parts), sum(part.decode[1] for part in parts)),
            (sum(part.encode[0] for part in parts), sum(part.encode[1] for part in parts)),
        )


class Worker:
    """Called with the groups of a `Batch`, from up to `LANES` threads."""

    def __init__(self, orders: Orders) -> None:
        self._desk = orders.desk
        self._asking = Asking(orders.desk, orders.name, orders.schema)
        workers = default_workers(orders.neighbours * LANES)
        self._options = replace(orders.options, workers=workers)
        self._fault: Exception | None = None
        self._engines: set[LocalEngine] = set()
        self._lanes = Window(LANES)
        try:
            encoder = load_encoder(orders.encoder, orders.load)
            require_same(orders.schema.fingerprint, encoder.info.fingerprint, orders.name)
            self._encoder = EncoderInTurns(encoder, threading.Lock())
        except Exception as error:  # noqa: BLE001 - told to the driver
            self._fault = portable(error)
        threading.Thread(target=self._stop, daemon=True).start()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Packed groups to packed `Done`, or to the exception that ended it."""
        return {"done": [pickle.dumps(self._outcome(group)) for group in batch["group"]]}

    def _outcome(self, group: bytes) -> Done | Exception:
        if self._fault is not None:
            return self._fault
        try:
            return self._done(*pickle.loads(group))  # noqa: S301 - the driver's
        except RayError as error:
            return EncodingStopped(f"an actor cannot ask the driver any more: {error}")
        except Exception as error:  # noqa: BLE001 - told to the driver
            return portable(error)

    def _done(self, number: int, jobs: Sequence[Job]) -> Done:
        tries = ray.get(self._desk.tried.remote(number))
        if tries > TRIES:
            among = f"{jobs[0].item.asset} to {jobs[-1].item.asset}" if jobs else "nothing"
            raise EncodingStopped(f"what encodes these died of it {TRIES} times: {among}")
        lanes = 1 if tries == 1 else LANES
        self._lanes.take(lanes)
        try:
            return self._worked(number, jobs) if tries == 1 else self._one_by_one(number, jobs)
        finally:
            self._lanes.give_back(lanes)

    def _one_by_one(self, number: int, jobs: Sequence[Job]) -> Done:
        """A group that an actor died of: the file that is to blame fails, and no other."""
        parts = []
        for at, job in enumerate(jobs):
            if self._fault is not None:
                raise self._fault
            is_deadly = ray.get(self._desk.alone.remote(number, at)) >= DEATHS
            parts.append(self._blamed(number, job) if is_deadly else self._worked(number, [job]))
        ray.get(self._desk.survived.remote(number))
        return Done.of(number, parts)

    def _blamed(self, number: int, job: Job) -> Done:
        reason = f"what encodes it died of it {DEATHS} times, with nothing else at work"
        current = Fingerprints.of(self._encoder.info, self._options)
        outcome = Outcome(job, "failed", reason, fingerprint=current.image)
        return Done(number, [Encoded(outcome, [])])

    def _worked(self, number: int, jobs: Sequence[Job]) -> Done:
        engine = LocalEngine(self._encoder, self._asking.collection, self._options, Patience())

        def feed() -> None:
            for job in jobs:
                engine.put(job)
            engine.finish()

        threads = Threads([feed, *engine.stages], engine.stop)
        self._engines.add(engine)
        engine.open()
        threads.start()
        try:
            told, encoded = self._collected(number, engine)
        finally:
            self._engines.discard(engine)
            threads.end()
            engine.close()
        threads.check()
        if told + len(encoded) < len(jobs):
            raise Stopped
        count, seconds = engine.meters.decode.sums
        decode = (count, seconds / self._options.workers)
        return Done(number, encoded, decode, engine.meters.encode.sums)

    def _collected(self, number: int, engine: LocalEngine) -> tuple[int, list[Encoded]]:
        """How many files the driver was told of meanwhile, and the rest."""
        told, found, last = 0, list[Encoded](), time.monotonic()
        while True:
            try:
                one = engine.encoded.get()
            except (Finished, Stopped):
                return told, found
            if isinstance(one, Staged):
                self._asking.keep(one)
                continue
            found.append(one)
            if time.monotonic() - last >= EVERY:
                self._asking.tell(number, found)
                told, found, last = told + len(found), [], time.monotonic()

    def _stop(self) -> None:
        """Once the driver wants no more, give up what is being done."""
        ray.get(self._desk.closed.remote())
        self._fault = EncodingStopped("the job was stopped")
        self._lanes.stop()
        for engine in list(self._engines):
            engine.stop()


def info_of(encoder: str, options: LoadOptions) -> EncoderInfo | Exception:
    """What an encoder says of itself where it is loaded; the exception where it cannot be."""
    try:
        return load_encoder(encoder, options).info
    except Exception as error:  # noqa: BLE001 - told to the driver
        return portable(error)
