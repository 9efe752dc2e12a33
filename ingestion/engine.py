"""From files with something to do to finished assets with their points: what lies between the
ledger and the collection."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from encoders import Encoder, InvalidInput, Pixels, RGBImage, Use
from indexer.base import Collection
from ingestion.crew import Crew
from ingestion.decoding import Decoder
from ingestion.encoding import Encoded, EncodeStage, Message, Staged
from ingestion.fetching import FETCHERS, FetchStage, Spool
from ingestion.jobs import Job
from ingestion.messages import Setup
from ingestion.options import IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe, Window
from ingestion.progress import Meter, Meters


class Engine(Protocol):
    """Takes jobs, and gives each one's outcome; reads the collection, and writes nothing."""

    encoded: Pipe[Encoded | Staged]
    """The outcomes, each after what is staged of its file; finished when all are there."""

    meters: Meters

    @property
    def stages(self) -> Sequence[Callable[[], None]]:
        """What does the work, each to be run in a thread of its own."""
        ...

    def open(self) -> None: ...

    def put(self, job: Job) -> None:
        """Waits while there is enough to do; raises `Stopped`."""
        ...

    def finish(self) -> None:
        """No more jobs will be put."""
        ...

    def stop(self) -> None:
        """Make every stage end, and every caller raise `Stopped`."""
        ...

    def close(self) -> None:
        """After all stages have ended."""
        ...


class LocalEngine:
    """Works on this machine: `workers` processes decode, one thread gives to the encoder."""

    def __init__(
        self,
        encoder: Encoder,
        collection: Collection,
        options: IngestOptions,
        patience: Patience,
    ) -> None:
        workers = options.workers
        self.encoded: Pipe[Encoded | Staged] = Pipe(1024)
        self.meters = Meters(Meter(workers), Meter(), Meter())
        self._window = Window(options.window_bytes)
        self._spool = Spool(options.limits.max_fetched_bytes)
        self._remote: Pipe[Job] = Pipe(4 * workers)
        self._jobs: Pipe[Job] = Pipe(4 * workers, producers=1 + FETCHERS)
        self._messages: Pipe[Message] = Pipe(4096, producers=workers)
        preprocess = encoder.preprocess if "image" in options.needs else _refuse_pictures
        self._crew = Crew(Setup(preprocess, options.limits, options.video))
        self._decoder = Decoder(
            encoder.info, collection, options, self._window, self.meters.decode, patience
        )
        fetch = FetchStage(self._spool, self._remote, self._jobs)
        encode = EncodeStage(
            encoder,
            tuple(collection.schema.vectors),
            options.batch_size or encoder.info.batch_size,
            self._window,
            self._messages,
            self.encoded,
            self.meters.encode,
            patience,
        )
        self.stages = [*[fetch.run] * FETCHERS, *[self._decode] * workers, encode.run]

    def open(self) -> None:
        """Make room for what is fetched from elsewhere."""
        self._spool.open()

    def put(self, job: Job) -> None:
        """See `Engine`."""
        (self._remote if job.is_elsewhere else self._jobs).put(job)

    def finish(self) -> None:
        """See `Engine`."""
        self._remote.finish()
        self._jobs.finish()

    def stop(self) -> None:
        """See `Engine`."""
        pipes = (self._remote, self._jobs, self._messages, self.encoded)
        for part in (*pipes, self._window, self._crew):
            part.stop()

    def close(self) -> None:
        """Remove what was fetched."""
        self._spool.close()

    def _decode(self) -> None:
        """One thread of the first stage."""
        decode = self.meters.decode
        with self._crew.helper() as helper, suppress(Finished):
            while True:
                job = self._jobs.get()
                start = time.perf_counter()
                for message in self._decoder.decode(job, helper):
                    decode.add(0, time.perf_counter() - start)
                    self._messages.put(message)
                    start = time.perf_counter()
                self._spool.release(job)
                decode.add(1, time.perf_counter() - start)
        self._messages.finish()


def _refuse_pictures(image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG001
    """Stands for the image tower of an encoder that is there for texts alone."""
    raise InvalidInput("this encoder is loaded for texts alone")
