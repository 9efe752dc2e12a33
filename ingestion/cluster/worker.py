"""What an actor does with the groups that Ray Data gives it."""

import pickle
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError

from encoders import LoadOptions, load_encoder, require_same
from encoders.base import EncoderInfo
from encoders.workers.process import portable
from indexer.base import Schema
from ingestion.cluster.bench import Bench, Sums
from ingestion.cluster.desk import Asking
from ingestion.encoding import Encoded
from ingestion.errors import EncodingStopped
from ingestion.jobs import Job, Outcome
from ingestion.options import Fingerprints, IngestOptions, default_workers
from ingestion.pipes import Window

TRIES = 16  # at a group, whose actor dies each time: more than a few files to blame
DEATHS = 2  # of a file that is alone with its actor
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
    """A group whose files are finished, and what the stages did in how many seconds since the
    actor's last one.

    `encoded` are those of its files that were not told before.
    """

    number: int
    encoded: Sequence[Encoded]
    decode: Sums
    encode: Sums


class Worker:
    """Called with the groups of a `Batch`, from up to `LANES` threads."""

    def __init__(self, orders: Orders) -> None:
        self._desk = orders.desk
        self._lanes = Window(LANES)
        self._fault: Exception | None = None
        try:
            encoder = load_encoder(orders.encoder, orders.load)
            require_same(orders.schema.fingerprint, encoder.info.fingerprint, orders.name)
            # One more than its cores: it works while another waits for what it asked.
            workers = 1 + default_workers(orders.neighbours)
            options = replace(orders.options, workers=workers)
            self._current = Fingerprints.of(encoder.info, options)
            self._bench = Bench(encoder, Asking(orders.desk, orders.name, orders.schema), options)
        except Exception as error:  # noqa: BLE001 - told to the driver
            self._fault = portable(error)
        else:
            threading.Thread(target=self._stop, daemon=True).start()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Packed groups to packed `Done`, or to the exception that ended it."""
        return {"done": [pickle.dumps(self._outcome(group)) for group in batch["group"]]}

    def _outcome(self, group: bytes) -> Done | Exception:
        if self._fault is not None:
            return self._fault
        try:
            number, jobs = pickle.loads(group)  # noqa: S301 - the driver's
            return Done(number, self._finished(number, jobs), *self._bench.sums())
        except RayError as error:
            return EncodingStopped(f"an actor cannot ask the driver any more: {error}")
        except Exception as error:  # noqa: BLE001 - told to the driver
            return portable(error)

    def _finished(self, number: int, jobs: Sequence[Job]) -> list[Encoded]:
        tries = ray.get(self._desk.tried.remote(number))
        if tries > TRIES:
            among = f"{jobs[0].item.asset} to {jobs[-1].item.asset}" if jobs else "nothing"
            raise EncodingStopped(f"what encodes these died of it {TRIES} times: {among}")
        lanes = 1 if tries == 1 else LANES
        self._lanes.take(lanes)
        try:
            if tries == 1:
                return self._bench.work(number, jobs)
            return self._one_by_one(number, jobs)
        finally:
            self._lanes.give_back(lanes)

    def _one_by_one(self, number: int, jobs: Sequence[Job]) -> list[Encoded]:
        """A group that an actor died of: the file that is to blame fails, and no other."""
        encoded: list[Encoded] = []
        for at, job in enumerate(jobs):
            if self._fault is not None:
                raise self._fault
            is_deadly = ray.get(self._desk.alone.remote(number, at)) >= DEATHS
            encoded += [self._blamed(job)] if is_deadly else self._bench.work(number, [job])
        ray.get(self._desk.survived.remote(number))
        return encoded

    def _blamed(self, job: Job) -> Encoded:
        reason = f"what encodes it died of it {DEATHS} times, with nothing else at work"
        return Encoded(Outcome(job, "failed", reason, fingerprint=self._current.image), [])

    def _stop(self) -> None:
        """Once the driver wants no more, give up what is being done."""
        with suppress(RayError):
            ray.get(self._desk.closed.remote())
        self._fault = EncodingStopped("the job was stopped")
        self._lanes.stop()
        self._bench.close()


def info_of(encoder: str, options: LoadOptions) -> EncoderInfo | Exception:
    """What an encoder says of itself where it is loaded; the exception where it cannot be."""
    try:
        return load_encoder(encoder, options).info
    except Exception as error:  # noqa: BLE001 - told to the driver
        return portable(error)
