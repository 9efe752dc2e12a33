"""Progress of a running ingestion, as callers see it."""

import threading
from dataclasses import asdict, dataclass

from indexer.ledger import Status


@dataclass(frozen=True)
class FileEvent:
    """The outcome for one file; `reason` is as in its ledger row."""

    asset: str
    status: Status
    reason: str = ""
    points: int = 0


@dataclass(frozen=True)
class Rates:
    """What each stage can do alone, per second of the time it was not waiting.

    `decode`: files read, hashed and decoded by all threads together; `encode`: images and frames;
    `write`: points committed. 0 where nothing was done yet.
    """

    decode: float = 0.0
    encode: float = 0.0
    write: float = 0.0


@dataclass(frozen=True)
class Report:
    """How it ended: `found == done + unchanged + skipped + failed`, all in files.

    `failed_before` and `skipped_before` count those of `unchanged` that failed in an earlier run,
    or were skipped. `points` were written; `bytes` is the size of the files done; `seconds` is the
    time it took.
    """

    found: int = 0
    done: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    failed_before: int = 0
    skipped_before: int = 0
    points: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rates: Rates = Rates()


@dataclass(frozen=True)
class Progress:
    """A snapshot; `event` is the file that was just dealt with, None where time alone passed.

    Every file but the unchanged has one snapshot of its own. `total` is how many files there are,
    None where `items` does not tell. `waiting` says what the job waits for when its server is away,
    and is empty while all goes well. In the last snapshot, and only there, `final` is true and
    `report` set.
    """

    found: int
    done: int
    unchanged: int
    skipped: int
    failed: int
    points: int
    seconds: float
    rates: Rates
    total: int | None = None
    event: FileEvent | None = None
    waiting: str = ""
    final: bool = False
    report: Report | None = None


class Meter:
    """Counts what a stage did and how long it was busy; safe to use from many threads."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._count = 0
        self._busy = 0.0
        self._lock = threading.Lock()

    def add(self, count: int, seconds: float) -> None:
        with self._lock:
            self._count += count
            self._busy += seconds

    @property
    def sums(self) -> tuple[int, float]:
        """What was done, and for how many seconds all threads together were busy with it."""
        with self._lock:
            return self._count, self._busy

    @property
    def rate(self) -> float:
        """Per second, all threads together."""
        with self._lock:
            return self._count * self._threads / self._busy if self._busy else 0.0


@dataclass(frozen=True)
class Meters:
    """One for each stage."""

    decode: Meter
    encode: Meter
    write: Meter

    def rates(self) -> Rates:
        return Rates(self.decode.rate, self.encode.rate, self.write.rate)


@dataclass(frozen=True)
class Listed:
    """Some files were looked up in the ledger; of the `found`, so many need nothing."""

    found: int
    unchanged: int
    failed_before: int
    skipped_before: int


@dataclass(frozen=True)
class Settled:
    """A file is in the ledger; `touched` where nothing but its time had changed."""

    event: FileEvent
    bytes: int
    touched: bool


News = Listed | Settled


class Tally:
    """Adds news up."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(
            (
                *("found", "done", "unchanged", "skipped", "failed"),
                *("failed_before", "skipped_before", "points", "bytes"),
            ),
            0,
        )

    def add(self, news: News) -> FileEvent | None:
        """Count; returns the event worth telling."""
        if isinstance(news, Listed):
            self._add(**asdict(news))
            return None
        if news.touched:
            self._add(unchanged=1)
            return None
        done = news.event.status == "done"
        self._add(
            **{news.event.status: 1}, points=news.event.points, bytes=news.bytes if done else 0
        )
        return news.event

    def report(self, seconds: float, rates: Rates) -> Report:
        return Report(seconds=seconds, rates=rates, **self._counts)

    def _add(self, **counts: int) -> None:
        for name, count in counts.items():
            self._counts[name] += count
