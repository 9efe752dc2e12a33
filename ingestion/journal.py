"""The jobs of an installation, in `polylens.db`: what was ingested, when, and how it ended."""

import json
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from indexer.installation import open_installation
from ingestion.errors import Cancelled, QueueFull
from ingestion.joblock import JobLock
from ingestion.progress import Progress

State = Literal["queued", "running", "done", "stopped", "cancelled", "failed", "interrupted"]
STATES: tuple[State, ...] = get_args(State)
OVER: frozenset[State] = frozenset({"done", "stopped", "cancelled", "failed"})
EVERY = 1.0  # seconds between notes of how far a job is
MOST_DEATHS = 3  # of processes in a row over one job without getting further

TABLE = """
CREATE TABLE IF NOT EXISTS job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    sources TEXT NOT NULL,
    options TEXT NOT NULL,
    encoder TEXT NOT NULL,
    state TEXT NOT NULL,
    started REAL NOT NULL,
    updated REAL NOT NULL,
    counts TEXT NOT NULL,
    error TEXT NOT NULL
)
"""
ADDED = {"request": "TEXT NOT NULL DEFAULT ''", "attempts": "INTEGER NOT NULL DEFAULT 0"}
"""Columns that came later. `attempts` counts how often a queued job was begun in vain."""

COLUMNS = (
    "id, collection, sources, options, encoder, state, started, updated, counts, error, request"
)
WAITING = """
SELECT id, request, attempts FROM job
WHERE request != '' AND state IN ('queued', 'interrupted') ORDER BY id
"""


@dataclass(frozen=True)
class JobRecord:
    """A job: `sources` are URIs, `options` those given, `counts` as in a report, so far.

    It is `queued`, `running`, `done` (whatever became of single files), `stopped` by its user,
    `cancelled` by somebody, `failed` with an `error`, or `interrupted`: its process was killed.
    `request` is what a queued job was asked for, as JSON, and empty for one that its own process
    began; only the former is taken up again after an interruption. `started` (or queued) and
    `updated` are in seconds since the epoch.
    """

    id: int
    collection: str
    sources: list[str]
    options: dict[str, Any]
    encoder: str
    state: State
    started: float
    updated: float
    counts: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    request: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nobody will go on with it by itself."""
        return self.state in OVER or (self.state == "interrupted" and not self.request)


class Journal:
    """All jobs of the installation in a folder; safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def begin(
        self, collection: str, sources: Sequence[str], options: dict[str, Any], encoder: str
    ) -> Iterator["Running"]:
        """A job of this process, for as long as the context lasts; how it is left is its end."""
        row = _Row(collection, sources, options, encoder)
        with self._open() as db, db:
            lock = JobLock(self._folder, row.insert(db, "running"))
            lock.take()  # before others can see the row
        with self._held(lock) as running:
            yield running

    def submit(
        self,
        collection: str,
        sources: Sequence[str],
        options: dict[str, Any],
        request: str,
        most: int,
    ) -> JobRecord:
        """Queue a job for whoever claims it; raises `QueueFull` where `most` wait already."""
        row = _Row(collection, sources, options, "", request)
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                waiting = len(db.execute(WAITING).fetchall())
                if waiting >= most:
                    raise QueueFull(
                        f"{waiting} jobs are already waiting: try again when some are done"
                    )
                job = row.insert(db, "queued")
        return self._read("WHERE id = ?", job)[0]

    @contextmanager
    def claim(self) -> Iterator["Running | None"]:
        """The next queued job, this process's for as long as the context lasts; None without any.

        One whose process was killed comes first. `Running.request` says what it asks for.
        """
        lock, request = self._claimed()
        if lock is None:
            yield None
            return
        with self._held(lock, request) as running:
            yield running

    def cancel(self, job: int) -> JobRecord | None:
        """The job, which will not go on; one that is over stays as it is. None for no job.

        A process that runs it stops within about a second, and keeps what was done.
        """
        if self.get(job) is None:
            return None
        with self._open() as db, db:
            db.execute(
                "UPDATE job SET state = 'cancelled', updated = ? WHERE id = ? AND (state = "
                "'running' OR request != '' AND state IN ('queued', 'interrupted'))",
                (time.time(), job),
            )
        return self.get(job)

    def is_at_work(self, job: int) -> bool:
        """Whether a process still has the job, perhaps to end it."""
        return JobLock(self._folder, job).is_held()

    def latest(
        self, limit: int | None = None, before: int | None = None, collection: str | None = None
    ) -> list[JobRecord]:
        """The latest jobs, the newest first; only those of lower number, of one collection."""
        limit = -1 if limit is None else limit
        return self._read(
            "WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR collection = ?2) "
            "ORDER BY id DESC LIMIT ?3",
            *(before, collection, limit),
        )

    def requests(self) -> list[str]:
        """What those ask for that wait or run."""
        with self._open() as db:
            rows = db.execute(
                "SELECT request FROM job WHERE request != '' AND state IN "
                "('queued', 'interrupted', 'running')"
            )
            return [request for (request,) in rows]

    def get(self, job: int) -> JobRecord | None:
        """One job, None where there is none of that number."""
        return next(iter(self._read("WHERE id = ?", job)), None)

    def note(
        self, job: int, state: State, counts: dict[str, Any] | None = None, error: str = ""
    ) -> bool:
        """Write down how far a running job is, or how it ended; without `counts` these stay.

        False where it is not running any more: somebody cancelled it.
        """
        moved = state == "queued" or any((counts or {}).get(name) for name in ("done", "captions"))
        with self._open() as db, db:
            changed = db.execute(
                "UPDATE job SET state = ?, updated = ?, counts = coalesce(?, counts), error = ?, "
                "attempts = CASE WHEN ? THEN 0 ELSE attempts END "
                "WHERE id = ? AND state = 'running'",
                (state, time.time(), counts and json.dumps(counts), _text(error), moved, job),
            )
            return changed.rowcount > 0

    def describe(self, job: int, sources: Sequence[str], encoder: str) -> None:
        """Write down what a queued job turned out to be."""
        with self._open() as db, db:
            db.execute(
                "UPDATE job SET sources = ?, encoder = ? WHERE id = ?",
                (json.dumps(sources), encoder, job),
            )

    @contextmanager
    def _held(self, lock: JobLock, request: str = "") -> Iterator["Running"]:
        running = Running(self, lock.job, request)
        try:
            yield running
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt | GeneratorExit | SystemExit)
            running.end("stopped" if stopped else "failed", "" if stopped else str(error))
            raise
        else:
            running.end("done")
        finally:
            lock.release()

    def _claimed(self) -> tuple[JobLock | None, str]:
        self._read("WHERE request != '' AND state = 'running'")  # finds the interrupted
        with self._open() as db:
            if db.execute(WAITING).fetchone() is None:
                return None, ""
            db.execute("BEGIN IMMEDIATE")
            with db:
                for job, request, attempts in db.execute(WAITING).fetchall():
                    if attempts < MOST_DEATHS:
                        return self._taken(db, job), request
                    _give_up(db, job)
        return None, ""

    def _taken(self, db: sqlite3.Connection, job: int) -> JobLock:
        now = time.time()
        db.execute(
            "UPDATE job SET state = 'running', started = ?, updated = ?, attempts = attempts + 1 "
            "WHERE id = ?",
            (now, now, job),
        )
        lock = JobLock(self._folder, job)
        lock.take()  # before others can see that it runs
        return lock

    def _read(self, clause: str, *values: object) -> list["JobRecord"]:
        with self._open() as db:
            rows = db.execute(f"SELECT {COLUMNS} FROM job {clause}", values).fetchall()  # noqa: S608
        return [self._heeded(_record(row)) for row in rows]

    def _heeded(self, job: JobRecord) -> JobRecord:
        """The job; one whose process was killed is interrupted from now on."""
        if job.state != "running" or JobLock(self._folder, job.id).is_held():
            return job
        with self._open() as db, db:
            db.execute(
                "UPDATE job SET state = 'interrupted' WHERE id = ? AND state = 'running'", (job.id,)
            )
        return self.get(job.id) or job

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with open_installation(self._folder) as db:
            db.execute(TABLE)
            known = {row[1] for row in db.execute("PRAGMA table_info(job)")}
            for name, kind in ADDED.items():
                if name not in known:
                    db.execute(f"ALTER TABLE job ADD COLUMN {name} {kind}")
            yield db


class Running:
    """A job of this process; `id` is its number, `request` what was asked, if it was queued."""

    def __init__(self, journal: Journal, job: int, request: str = "") -> None:
        self.id = job
        self.request = request
        self._journal = journal
        self._noted = 0.0
        self._last: Progress | None = None
        self._more: dict[str, int] = {}

    def noted(self, snapshots: Generator[Progress]) -> Generator[Progress]:
        """The snapshots of its ingestion, as they come, written down now and then.

        Raises `Cancelled` soon after somebody cancelled it.
        """
        try:
            for snapshot in snapshots:
                self._last = snapshot
                self._note()
                yield snapshot
        finally:
            snapshots.close()

    def add(self, **counts: int) -> None:
        """Count what follows on its ingestion, too; raises `Cancelled` as `noted`."""
        self._more |= counts
        self._note()

    def describe(self, sources: Sequence[str], encoder: str) -> None:
        """Write down what it is about."""
        self._journal.describe(self.id, sources, encoder)

    def put_back(self) -> None:
        """Leave it to whoever claims it next."""
        self.end("queued")

    def end(self, state: State, error: str = "") -> None:
        """Write down how it ended, unless that was done."""
        self._journal.note(self.id, state, self._counts(), error)

    def _note(self) -> None:
        if time.monotonic() - self._noted >= EVERY:
            self._noted = time.monotonic()
            if not self._journal.note(self.id, "running", self._counts()):
                raise Cancelled(f"job {self.id} was cancelled; finished work is kept")

    def _counts(self) -> dict[str, Any] | None:
        return _counts(self._last) | self._more if self._last else None


@dataclass(frozen=True)
class _Row:
    """A job that begins, or will."""

    collection: str
    sources: Sequence[str]
    options: dict[str, Any]
    encoder: str
    request: str = ""

    def insert(self, db: sqlite3.Connection, state: State) -> int:
        now = time.time()
        made = db.execute(
            "INSERT INTO job (collection, sources, options, encoder, request, state, started, "
            "updated, counts, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '{}', '')",
            (
                *(self.collection, json.dumps(self.sources), json.dumps(self.options)),
                *(self.encoder, self.request, state, now, now),
            ),
        )
        return int(made.lastrowid or 0)


def _give_up(db: sqlite3.Connection, job: int) -> None:
    error = f"its process died {MOST_DEATHS} times in a row over it, and got no further"
    db.execute(
        "UPDATE job SET state = 'failed', updated = ?, error = ? WHERE id = ?",
        (time.time(), error, job),
    )


def _record(row: tuple[Any, ...]) -> JobRecord:
    job, collection, sources, options, encoder, state, started, updated, counts, *rest = row
    return JobRecord(
        job,
        collection,
        json.loads(sources),
        json.loads(options),
        encoder,
        state,
        started,
        updated,
        json.loads(counts),
        *rest,
    )


def _counts(snapshot: Progress) -> dict[str, Any]:
    if snapshot.report is not None:
        return asdict(snapshot.report)
    names = ("found", "done", "unchanged", "skipped", "failed", "points", "seconds", "total")
    counts = {name: getattr(snapshot, name) for name in names}
    return counts | {"rates": asdict(snapshot.rates), "waiting": snapshot.waiting}


def _text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
