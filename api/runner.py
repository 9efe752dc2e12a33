"""Runs the jobs that were queued over HTTP."""

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from api.bulk import Bulk
from api.census import Census
from api.installation import Installation
from api.orders import Order, Orders
from api.problems import publishable
from encoders import EncoderUnavailable
from indexer import BackendUnavailable, CollectionBusy
from ingestion import Cancelled, Journal, Running

if TYPE_CHECKING:
    from api.captions import Captioner

IDLE = 5.0  # seconds until the queue is looked at for jobs of other processes
LAST_SECONDS = 10.0  # for the jobs at work to come to a good end

logger = logging.getLogger("polylens")


class Runner:
    """Threads that take jobs from the journal, some at a time, until they are stopped.

    Several processes may take from one journal. What was running when a process stopped, or was
    killed, is taken up again; the ledger makes that cheap.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._journal = Journal(installation.settings.data)
        self._orders = Orders(installation)
        self._stopping = threading.Event()
        self._queued = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            for number in range(installation.settings.max_jobs)
        ]

    def start(self) -> None:
        """Begin with what is there."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._queued.release()

    def stop(self) -> None:
        """Take no more; jobs at work are put back where they are between two files."""
        self._stopping.set()
        for _ in self._threads:
            self._queued.release()

    def join(self) -> None:
        """Wait for what is at work, not forever: what is not put back is found interrupted."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(LAST_SECONDS)

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                idle = not self._one()
            except Exception:  # the journal cannot be used, or the disk is full
                logger.exception("jobs cannot be worked on; trying again")
                idle = True
            if idle:
                self._queued.acquire(timeout=IDLE)

    def _one(self) -> bool:
        """Work on the next job; whether there was one."""
        with self._journal.claim() as job:
            if job is None:
                return False
            logger.info("job %d begins", job.id)
            order = Order.model_validate_json(job.request)
            try:
                self._carry_out(job, order)
            except (BackendUnavailable, CollectionBusy, EncoderUnavailable) as error:
                logger.warning("job %d waits, nothing is lost: %s", job.id, error)
                job.put_back()
                return False
            except Cancelled:
                logger.info("job %d was cancelled", job.id)
            except Exception as error:
                logger.exception("job %d failed", job.id)
                job.end("failed", publishable(error))
            else:
                job.end("done")
            self._orders.tidy(order)
        return True

    def _carry_out(self, job: Running, order: Order) -> None:
        record = self._journal.get(job.id)
        if record is None:
            return
        sources = self._orders.open(order)
        options = self._orders.options(order, sources)
        bulk = Bulk(self._installation, sources, options, record.collection)
        captioner = bulk.captioner() if order.captions else None  # refused before anything is done
        with (
            Census(self._orders.open(order)) as census,
            closing(bulk.carry_out(job, census)) as steps,
        ):
            is_done = all(step.final or not self._stopping.is_set() for step in steps)
        if is_done and captioner:
            is_done = self._caption(job, bulk, captioner)
        if is_done:
            bulk.tidied(prune=order.prune)
        else:
            job.put_back()
            logger.info("job %d is put back, to go on at the next start", job.id)

    def _caption(self, job: Running, bulk: Bulk, captioner: "Captioner") -> bool:
        """Whether all captions were written before this process is to stop."""
        with closing(bulk.captioned(captioner)) as steps:
            for done in steps:
                job.add(captions=done.written, uncaptioned=done.left_out)
                if self._stopping.is_set():
                    return False
        return True
