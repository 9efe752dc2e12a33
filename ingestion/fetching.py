"""Before decoding: copy remote or archived content into a temporary file."""

import errno
import fcntl
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.errors import MediaError
from ingestion.jobs import Job
from ingestion.pipes import Finished, Pipe

if TYPE_CHECKING:
    from ingestion.items import Blob

log = logging.getLogger(__name__)
PREFIX, LOCK = "polylens-spool-", "lock"
FETCHERS = 16  # threads: stores far away answer slowly, and many at once


class Spool:
    """A folder of temporary files. Closing it removes them all; the next spool removes those of
    a killed process, whose lock is free.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock: int | None = None

    def fetch(self, job: Job) -> Job:
        """The job with its content in a file; what cannot be had is its problem."""
        content = job.item.content
        if content is None or isinstance(content, Path):
            return job
        try:
            path = self._copy(content)
        except MediaError as error:
            return replace(job, problem=str(error))
        except OSError as error:
            return replace(job, problem=_reason(error))
        except Exception as error:  # each store has errors of its own
            log.warning("fetching %s failed", job.item.asset, exc_info=error)
            return replace(job, problem=f"cannot be fetched: {error or type(error).__name__}")
        return replace(job, size=path.stat().st_size, file=path)

    def release(self, job: Job) -> None:
        """Remove the file of a job that is done with it."""
        if job.file is not None and not isinstance(job.item.content, Path):
            job.file.unlink(missing_ok=True)

    def open(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX)
        self._lock = os.open(Path(self._folder.name) / LOCK, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        if self._folder is not None and self._lock is not None:
            self._folder.cleanup()
            os.close(self._lock)

    def _copy(self, blob: "Blob") -> Path:
        folder = self._folder.name if self._folder else None
        suffix = Path(blob.name).suffix[:16]
        with tempfile.NamedTemporaryFile(dir=folder, suffix=suffix, delete=False) as file:
            path = Path(file.name)
            try:
                blob.copy_to(file.file, self._max_bytes)
            except BaseException:
                path.unlink()
                raise
        return path


@dataclass
class FetchStage:
    """Passes jobs on once their content lies in a file; many threads may run it."""

    spool: Spool
    source: Pipe[Job]
    target: Pipe[Job]

    def run(self) -> None:
        """Until the source is finished."""
        try:
            while True:
                self.target.put(self.spool.fetch(self.source.get()))
        except Finished:
            self.target.finish()


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no room for it in {tempfile.gettempdir()}, see TMPDIR: {reason}"
    return f"cannot be read: {reason}"


def _sweep(parent: Path) -> None:
    """Remove the spools of processes that are gone; those of other users stay."""
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDWR)
        except OSError:
            continue  # being made, being removed, or not ours
        with os.fdopen(lock), suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
