"""The jobs of an installation, in `polylens.db`: what was ingested, when, and how it ended."""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from indexer.installation import open_installation
from indexer.local.database import translated
from ingestion.progress import Progress

State = Literal["running", "done", "stopped", "failed", "interrupted"]
STATES: tuple[State, ...] = get_args(State)
EVERY = 1.0  # seconds between notes of how far a job is

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


@dataclass(frozen=True)
class JobRecord:
    """A job: `sources` are URIs, `options` those given, `counts` as in a report, so far.

    It is `running`, `done` (whatever became of single files), `stopped` by its user, `failed` with
    an `error`, or `interrupted`: its process was killed. `started` and `updated` are in seconds
    since the epoch.
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


class Journal:
    """All jobs of the installation in a folder; safe from any thread and process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def begin(
        self, collection: str, sources: Sequence[str], options: dict[str, Any], encoder: str
    ) -> Iterator["Running"]:
        """A job of this process, for as long as the context lasts; how it is left is its end."""
        now = time.time()
        row = (collection, json.dumps(sources), json.dumps(options), encoder, "running", now, now)
        with self._open() as db, db:
            made = db.execute(
                "INSERT INTO job (collection, sources, options, encoder, state, started, updated, "
                "counts, error) VALUES (?, ?, ?, ?, ?, ?, ?, '{}', '')",
                row,
            )
            lock = _Lock(self._folder, int(made.lastrowid or 0))
            lock.take()  # before others can see the row
        running = Running(self, lock.job)
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

    def latest(self, limit: int | None = None) -> list[JobRecord]:
        """The latest jobs, the newest first."""
        return self._read("ORDER BY id DESC LIMIT ?", -1 if limit is None else limit)

    def get(self, job: int) -> JobRecord | None:
        """One job, None where there is none of that number."""
        return next(iter(self._read("WHERE id = ?", job)), None)

    def note(self, job: int, state: State, counts: dict[str, Any] | None, error: str = "") -> None:
        """Write down how far a job is, or how it ended; without `counts` these stay."""
        with self._open() as db, db:
            db.execute(
                "UPDATE job SET state = ?, updated = ?, counts = coalesce(?, counts), error = ? "
                "WHERE id = ?",
                (state, time.time(), counts and json.dumps(counts), _text(error), job),
            )

    def _read(self, clause: str, value: int) -> list["JobRecord"]:
        with self._open() as db:
            names = "id, collection, sources, options, encoder, state, started, updated, counts"
            rows = db.execute(f"SELECT {names}, error FROM job {clause}", (value,)).fetchall()  # noqa: S608
        return [self._heeded(_record(row)) for row in rows]

    def _heeded(self, job: JobRecord) -> JobRecord:
        """The job; one whose process was killed is interrupted from now on."""
        if job.state != "running" or _Lock(self._folder, job.id).is_held():
            return job
        with self._open() as db, db:
            db.execute(
                "UPDATE job SET state = 'interrupted' WHERE id = ? AND state = 'running'", (job.id,)
            )
        return self.get(job.id) or job

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with open_installation(self._folder) as db, translated("use the list of jobs"):
            db.execute(TABLE)
            yield db


class Running:
    """A job of this process; `id` is its number."""

    def __init__(self, journal: Journal, job: int) -> None:
        self.id = job
        self._journal = journal
        self._noted = 0.0
        self._counts: dict[str, Any] | None = None

    def noted(self, snapshots: Generator[Progress]) -> Generator[Progress]:
        """The snapshots of its ingestion, as they come, written down now and then."""
        try:
            for snapshot in snapshots:
                self._counts = _counts(snapshot)
                if time.monotonic() - self._noted >= EVERY:
                    self._noted = time.monotonic()
                    self._journal.note(self.id, "running", self._counts)
                yield snapshot
        finally:
            snapshots.close()

    def end(self, state: State, error: str = "") -> None:
        """Write down how it ended."""
        self._journal.note(self.id, state, self._counts, error)


class _Lock:
    """An flock that a job's process holds: the system lets go of it, however that ends."""

    def __init__(self, folder: Path, job: int) -> None:
        self.job = job
        self._path = folder / "jobs" / f"{job}.lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        self._path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        with suppress(OSError):
            self._path.unlink()
        return False


def _record(row: tuple[Any, ...]) -> JobRecord:
    job, collection, sources, options, encoder, state, started, updated, counts, error = row
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
        error,
    )


def _counts(snapshot: Progress) -> dict[str, Any]:
    if snapshot.report is not None:
        return asdict(snapshot.report)
    names = ("found", "done", "unchanged", "skipped", "failed", "points", "seconds")
    return {name: getattr(snapshot, name) for name in names} | {"total": snapshot.total}


def _text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
