"""Ingest items into a collection: list -> read and decode -> encode -> write, all concurrently."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from functools import partial

from encoders import Encoder, EncoderInfo, EncoderMismatch, Modality, require_same
from indexer.base import Collection
from ingestion.engine import Engine, LocalEngine
from ingestion.errors import TowerMissing
from ingestion.feeding import FeedStage
from ingestion.items import Item
from ingestion.options import Fingerprints, IngestOptions
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe, Stopped
from ingestion.progress import FileEvent, News, Progress, Tally
from ingestion.threads import Threads
from ingestion.writing import WriteStage

TICK = 0.25  # seconds between snapshots when no file is finished
MakeEngine = Callable[[Collection, IngestOptions, Patience], Engine]


def ingest(
    items: Iterable[Item],
    encoder: Encoder,
    collection: Collection,
    options: IngestOptions | None = None,
) -> Generator[Progress]:
    """Bring a collection up to date with `items`; skips what the ledger lists as done.

    Work runs in threads while the iterator is open. Closing it stops them; the next run does what
    was not committed. An unusable file is an event, never an exception. Raises `EncoderMismatch` or
    `TowerMissing` when called, and whatever ends the job while iterating: `EncodingStopped` and the
    errors of `indexer`.
    """
    make = partial(LocalEngine, encoder)
    return ingest_by(make, items, encoder.info, collection, options or IngestOptions())


def ingest_by(
    make: MakeEngine,
    items: Iterable[Item],
    info: EncoderInfo,
    collection: Collection,
    options: IngestOptions,
) -> Generator[Progress]:
    """Like `ingest`, with the engine that `make` returns; `info` describes its encoder."""
    check_fits(info, collection, options.needs)
    return _Pipeline(make, items, info, collection, options).run()


def check_fits(
    info: EncoderInfo, collection: Collection, needs: frozenset[Modality] = IngestOptions.needs
) -> None:
    """Raise `EncoderMismatch` or `TowerMissing` if an encoder cannot fill a collection.

    `needs` are the towers that the items require.
    """
    schema = collection.schema
    require_same(schema.fingerprint, info.fingerprint, f"the collection {collection.name}")
    for tower in sorted(needs - info.modalities):
        raise TowerMissing(
            f"the encoder {info.name} is loaded without its {tower} tower: set `towers` to "
            f"{tower!r} or to 'both' (--towers, POLYLENS_TOWERS), if it has one"
        )
    made = {name: info.vectors.get(name) for name in schema.vectors}
    if made != dict(schema.vectors):
        raise EncoderMismatch(
            f"the collection {collection.name} holds vectors {dict(schema.vectors)}, "
            f"and the encoder {info.name} makes {dict(info.vectors)}"
        )


class _Pipeline:
    def __init__(
        self,
        make: MakeEngine,
        items: Iterable[Item],
        info: EncoderInfo,
        collection: Collection,
        options: IngestOptions,
    ) -> None:
        self._total = len(items) if isinstance(items, Sized) else None
        self._tally = Tally()
        self._patience = Patience()
        self._news: Pipe[News] = Pipe(1024)
        self._engine = make(collection, options, self._patience)
        self._meters = self._engine.meters
        feed = FeedStage(
            items,
            collection.ledger,
            Fingerprints.of(info, options),
            options,
            self._engine,
            self._news,
        )
        write = WriteStage(
            collection, self._engine.encoded, self._news, self._meters.write, self._patience
        )
        self._threads = Threads([feed.run, *self._engine.stages, write.run], self._stop)

    def run(self) -> Generator[Progress]:
        """Snapshots to the last; see `ingest`."""
        self._start = time.perf_counter()
        self._engine.open()
        self._threads.start()
        try:
            yield from self._watch()
        finally:
            self._threads.end()
            self._engine.close()
        self._threads.check()
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

    def _stop(self) -> None:
        for part in (self._engine, self._news, self._patience):
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
