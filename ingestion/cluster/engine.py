"""The engine of the driver: groups of files through Ray Data, outcomes back."""

import pickle
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import ray
from ray.data import ActorPoolStrategy
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from indexer.base import Collection
from ingestion.cluster.desk import Desk
from ingestion.cluster.groups import Groups
from ingestion.cluster.worker import LANES, Done, Orders, Worker
from ingestion.encoding import LINGER, Encoded, Staged
from ingestion.errors import EncodingStopped
from ingestion.jobs import Job
from ingestion.options import IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe, Stopped, Window
from ingestion.progress import Meter, Meters

if TYPE_CHECKING:
    from ingestion.cluster.fleet import Fleet

GROUP_BYTES = 64 << 20  # of files, after which a group is closed
AHEAD = 2  # groups that wait for each that is being done
ANSWERING = 4  # threads


class RayEngine:
    """Satisfies `ingestion.engine.Engine`.

    A group is a unit of retrying: it is done whole, or again where its actor dies. Its outcomes
    come back to this process, which alone writes; each is taken once, however often it comes.
    """

    def __init__(
        self, fleet: "Fleet", collection: Collection, options: IngestOptions, patience: Patience
    ) -> None:
        seats = fleet.seats
        self.encoded: Pipe[Encoded | Staged] = Pipe(1024)
        self.meters = Meters(Meter(seats.count), Meter(seats.count), Meter())
        self.stages: Sequence[Callable[[], None]] = [
            self._offer,
            self._run,
            *[self._answer] * ANSWERING,
        ]
        self._collection = collection
        self._patience = patience
        self._size = 2 * (options.batch_size or fleet.info.batch_size)
        self._jobs: Pipe[Job] = Pipe(self._size)
        self._ahead = Window(AHEAD * LANES * seats.count)
        self._left: dict[int, set[str]] = {}  # the groups at work, and what is finished of each
        self._taking = threading.Lock()
        self._seats = seats.count
        self._stopped = False
        self._begun = threading.Event()
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._desk: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(Desk).remote(
            collection.ledger
        )
        orders = Orders(
            fleet.name,
            fleet.load,
            collection.name,
            collection.schema,
            options,
            self._desk,
            seats.neighbours,
        )
        groups = ray.data.read_datasource(Groups(self._desk), num_cpus=0, override_num_blocks=1)
        self._done = groups.map_batches(
            Worker,
            batch_size=1,
            fn_constructor_args=(orders,),
            compute=ActorPoolStrategy(
                size=seats.count,
                max_concurrent_calls_per_actor=LANES,
                max_tasks_in_flight_per_actor=LANES,
                enable_true_multi_threading=True,
            ),
            num_cpus=seats.cpus,
            num_gpus=seats.gpus,
        )

    def open(self) -> None:
        """Nothing to do: the fleet is running."""

    def put(self, job: Job) -> None:
        """See `Engine`."""
        self._jobs.put(job)

    def finish(self) -> None:
        """See `Engine`."""
        self._jobs.finish()

    def stop(self) -> None:
        """See `Engine`. What the actors are at is given up."""
        self._stopped = True
        self._begun.set()
        for part in (self._jobs, self.encoded, self._ahead):
            part.stop()
        with suppress(RayError):
            self._desk.close.remote()

    def close(self) -> None:
        """End the actor that stands between."""
        with suppress(RayError):
            ray.kill(self._desk)

    def _offer(self) -> None:
        """Have the actors do what comes, in groups."""
        number = 0
        for group in self._grouped():
            self._ahead.take(1)
            self._left[number] = set()
            self._told("offer", number, pickle.dumps((number, group)))
            self._begun.set()
            number += 1
        while 0 < number < self._seats:  # Ray warns of actors that have nothing to do
            self._told("offer", number, pickle.dumps((number, [])))
            number += 1
        self._told("offer", number, None)
        self._begun.set()

    def _grouped(self) -> Iterator[list[Job]]:
        """Files as they come, each once: few at a time where they come slowly, or are large."""
        group: dict[str, Job] = {}
        while True:
            try:
                job = self._jobs.poll(LINGER) if group else self._jobs.get()
            except Finished:
                if group:
                    yield list(group.values())
                return
            full = len(group) == self._size or _bytes(group.values()) >= GROUP_BYTES
            if group and (job is None or full or job.item.asset in group):
                yield list(group.values())
                group = {}
            if job is not None:
                group[job.item.asset] = job

    def _run(self) -> None:
        """Take what is done, to its end."""
        self._begun.wait()
        try:
            with closing(self._rows()) as rows:
                for row in rows:
                    self._take(pickle.loads(row))  # noqa: S301 - our own actors'
        except RayError as error:
            if self._stopped:
                raise Stopped from None
            raise EncodingStopped(f"the cluster gave up: {error}") from error
        if self._left:
            raise EncodingStopped(f"the cluster lost {len(self._left)} groups of files")
        self._told("close")
        self.encoded.finish()

    def _rows(self) -> Generator[bytes]:
        """What the actors return, and nothing of Ray Data at work once this is closed.

        Its own `iter_rows` leaves a thread behind, and an executor that errors keep alive: both
        ask for Ray after it was ended, which ends this process, or waits for ever.
        """
        if not self._left:
            return
        bundles, _, executor = self._done._execute_to_iterator()
        try:
            for bundle in bundles:
                for block in ray.get(bundle.block_refs):
                    yield from block.column("done").to_pylist()
        finally:
            if executor is not None:
                executor.shutdown(force=self._stopped)

    def _take(self, done: Done | Exception) -> None:
        if isinstance(done, Exception):
            raise done
        if done.number not in self._left:
            return
        self.meters.decode.add(*done.decode)
        self.meters.encode.add(*done.encode)
        self._receive(done.number, done.encoded)
        del self._left[done.number]
        self._told("forget", done.number, pickle.dumps((done.number, [])))
        self._ahead.give_back(1)

    def _receive(self, group: int, encoded: Sequence[Encoded]) -> None:
        """Take of a group at work what was not taken before."""
        with self._taking:
            finished = self._left.get(group)
            if finished is None:
                return
            for one in encoded:
                asset = one.outcome.job.item.asset
                if asset not in finished:
                    finished.add(asset)
                    self.encoded.put(one)

    def _answer(self) -> None:
        """Answer what the actors ask, until nobody does."""
        while (asked := self._told("question")) is not None:
            number, question = asked
            call, args, options = pickle.loads(question)  # noqa: S301 - our own actors'
            answer = self._answer_to(call, *args, **options)
            self._told("answer", number, pickle.dumps(answer))

    def _answer_to(self, call: str, *args: Any, **options: Any) -> object:  # noqa: ANN401
        match call:
            case "keep":
                self.encoded.put(*args)
                return True
            case "tell":
                self._receive(*args)
                return True
            case _:
                ask = getattr(self._collection, call)
                return self._patience(lambda: ask(*args, **options))

    def _told(self, method: str, *args: object) -> Any:  # noqa: ANN401 - the method's own
        """What the desk says; raises `Stopped` where it is gone because we are."""
        try:
            return ray.get(getattr(self._desk, method).remote(*args))
        except RayError:
            if self._stopped:
                raise Stopped from None
            raise


def _bytes(jobs: Iterable[Job]) -> int:
    return sum(job.size for job in jobs)
