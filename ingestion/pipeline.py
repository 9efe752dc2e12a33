"""Items into a collection: list -> read and decode -> encode -> write, all at the same time."""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import suppress

from encoders import (
    Encoder,
    EncoderMismatch,
    InvalidInput,
    Modality,
    Pixels,
    RGBImage,
    Use,
    require_same,
)
from indexer.base import Collection
from ingestion.crew import Crew
from ingestion.decoding import Decoder
from ingestion.encoding import Encoded, EncodeStage, Message, Staged
from ingestion.errors import IngestError
from ingestion.feeding import FeedStage
from ingestion.fetching import FETCHERS, FetchStage, Spool
from ingestion.items import Item
from ingestion.jobs import Job
from ingestion.messages import Setup
from ingestion.options import Fingerprints, IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe, Stopped, Window
from ingestion.progress import FileEvent, Meter, Meters, News, Progress, Tally
from ingestion.writing import WriteStage

TICK = 0.25  # seconds between snapshots when no file is finished


def ingest(
    items: Iterable[Item],
    encoder: Encoder,
    collection: Collection,
    options: IngestOptions | None = None,
) -> Generator[Progress]:
    """Bring a collection up to date with `items`; what the ledger has as done is left alone.

    Work goes on in threads while the iterator lives; closing it stops them, and what was not
    committed is done by the next run. A file that cannot be used is an event, never an exception.
    Raises `EncoderMismatch` or `IngestError` at the call, and while iterating whatever ends the
    job: `EncodingStopped` and the errors of `indexer`.
    """
    options = options or IngestOptions()
    check_fits(encoder, collection, options.needs)
    return _Pipeline(items, encoder, collection, options).run()


def check_fits(
    encoder: Encoder, collection: Collection, needs: frozenset[Modality] = IngestOptions.needs
) -> None:
    """Raises `EncoderMismatch` or `IngestError` where an encoder cannot fill a collection.

    `needs` are the towers that what is ingested takes.
    """
    schema = collection.schema
    require_same(schema.fingerprint, encoder.info.fingerprint, f"the collection {collection.name}")
    for tower in sorted(needs - encoder.info.modalities):
        raise IngestError(
            f"the encoder {encoder.info.name} is loaded without its {tower} tower: set `towers` to "
            f"{tower!r} or to 'both' (--towers, POLYLENS_TOWERS), if it has one"
        )
    made = {name: encoder.info.vectors.get(name) for name in schema.vectors}
    if made != dict(schema.vectors):
        raise EncoderMismatch(
            f"the collection {collection.name} holds vectors {dict(schema.vectors)}, "
            f"and the encoder {encoder.info.name} makes {dict(encoder.info.vectors)}"
        )


class _Pipeline:
    def __init__(
        self,
        items: Iterable[Item],
        encoder: Encoder,
        collection: Collection,
        options: IngestOptions,
    ) -> None:
        workers = options.workers
        self._total = len(items) if isinstance(items, Sized) else None
        self._tally = Tally()
        self._errors: list[BaseException] = []
        self._window = Window(options.window_bytes)
        self._patience = Patience()
        self._spool = Spool(options.limits.max_fetched_bytes)
        self._remote: Pipe[Job] = Pipe(4 * workers)
        self._jobs: Pipe[Job] = Pipe(4 * workers, producers=1 + FETCHERS)
        self._messages: Pipe[Message] = Pipe(4096, producers=workers)
        self._encoded: Pipe[Encoded | Staged] = Pipe(1024)
        self._news: Pipe[News] = Pipe(1024)
        self._meters = Meters(Meter(workers), Meter(), Meter())
        preprocess = encoder.preprocess if "image" in options.needs else _refuse_pictures
        self._crew = Crew(Setup(preprocess, options.limits, options.video))
        self._decoder = Decoder(
            encoder.info, collection, options, self._window, self._meters.decode, self._patience
        )
        feed = FeedStage(
            items,
            collection.ledger,
            Fingerprints.of(encoder.info, options),
            options,
            self._jobs,
            self._remote,
            self._news,
        )
        fetch = FetchStage(self._spool, self._remote, self._jobs)
        encode = EncodeStage(
            encoder,
            tuple(collection.schema.vectors),
            options.batch_size or encoder.info.batch_size,
            self._window,
            self._messages,
            self._encoded,
            self._meters.encode,
        )
        write = WriteStage(
            collection, self._encoded, self._news, self._meters.write, self._patience
        )
        self._stages = [
            feed.run,
            *[fetch.run] * FETCHERS,
            *[self._decode] * workers,
            encode.run,
            write.run,
        ]

    def run(self) -> Generator[Progress]:
        """Snapshots to the last; see `ingest`."""
        self._start = time.perf_counter()
        self._spool.open()
        threads = [
            threading.Thread(target=self._guard, args=(stage,), daemon=True)
            for stage in self._stages
        ]
        for thread in threads:
            thread.start()
        try:
            yield from self._watch()
        finally:
            self._stop()
            for thread in threads:
                thread.join()
            self._spool.close()
        if self._errors:
            raise self._errors[0]
        yield self._snapshot(final=True)

    def _watch(self) -> Iterator[Progress]:
        while True:
            try:
                news = self._news.poll(TICK)
            except (Finished, Stopped):
                return
            event = self._tally.add(news) if news is not None else None
            if event is not None or news is None:
                yield self._snapshot(event)

    def _decode(self) -> None:
        """One thread of the first stage."""
        with self._crew.helper() as helper, suppress(Finished):
            while True:
                job = self._jobs.get()
                start = time.perf_counter()
                for message in self._decoder.decode(job, helper):
                    self._meters.decode.add(0, time.perf_counter() - start)
                    self._messages.put(message)
                    start = time.perf_counter()
                self._spool.release(job)
                self._meters.decode.add(1, time.perf_counter() - start)
        self._messages.finish()

    def _guard(self, stage: Callable[[], None]) -> None:
        """Run a stage; if it breaks, the whole pipeline stops and says why."""
        try:
            stage()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._errors.append(error)
            self._stop()

    def _stop(self) -> None:
        pipes = (self._remote, self._jobs, self._messages, self._encoded, self._news)
        for part in (*pipes, self._window, self._patience, self._crew):
            part.stop()

    def _snapshot(self, event: FileEvent | None = None, final: bool = False) -> Progress:
        seconds = time.perf_counter() - self._start
        rates = self._meters.rates()
        report = self._tally.report(seconds, rates)
        return Progress(
            found=report.found,
            done=report.done,
            unchanged=report.unchanged,
            skipped=report.skipped,
            failed=report.failed,
            points=report.points,
            seconds=seconds,
            rates=rates,
            total=report.found if final else self._total,
            event=event,
            waiting=self._patience.waiting,
            final=final,
            report=report if final else None,
        )


def _refuse_pictures(image: RGBImage, use: Use = "search") -> Pixels:  # noqa: ARG001
    """Stands for the image tower of an encoder that is there for texts alone."""
    raise InvalidInput("this encoder is loaded for texts alone")
