"""Jobs over HTTP: submit, describe, cancel; blocking."""

from itertools import islice

from api.bulk import Bulk
from api.captions import require_captions
from api.installation import Installation
from api.orders import Order, Orders
from api.problems import Refusal
from api.schemas.jobs import JobCounts, JobList, JobOut, JobPlan, JobRates, JobRequest
from encoders import InvalidOption
from ingestion import IngestError, JobRecord, Journal, QueueFull

QUEUE_SECONDS = 30  # after which to ask again when the queue is full
REASONS = 100  # files of a plan whose reasons are told


class Jobs:
    """Queues jobs and tells of them; the work is `Runner`'s."""

    def __init__(self, installation: Installation) -> None:
        self.journal = Journal(installation.settings.data)
        self._installation = installation
        self._orders = Orders(installation)
        self._most = installation.settings.max_queued_jobs

    def submit(self, collection: str, request: JobRequest) -> JobOut:
        """Queue it. Raises `Refusal` (403, 409, 422, 429) and `UnknownCollection`."""
        return self.queue(collection, self._taken(collection, request))

    def plan(self, collection: str, request: JobRequest) -> JobPlan:
        """What it would do. Raises as `submit`, and what the encoder raises."""
        order = self._taken(collection, request)
        try:
            sources = self._orders.open(order)
            options = self._orders.options(order, sources)
            made, seconds = Bulk(self._installation, sources, options, collection).plan()
        except IngestError as error:
            raise Refusal(422, "cannot-be-ingested", str(error)) from error
        names = JobPlan.model_fields.keys() - {"seconds", "reasons"}
        reasons = dict(islice(made.reasons.items(), REASONS))
        return JobPlan(
            **{name: getattr(made, name) for name in names}, seconds=seconds, reasons=reasons
        )

    def queue(self, collection: str, order: Order) -> JobOut:
        """Queue an order that was taken. Raises `Refusal` (429) and `UnknownCollection`."""
        name = self._installation.store.open(collection).name  # whatever an alias means later
        try:
            record = self.journal.submit(
                name, order.uris, order.told, order.model_dump_json(), self._most
            )
        except QueueFull as error:
            wait = {"Retry-After": str(QUEUE_SECONDS)}
            raise Refusal(429, "too-many-jobs", str(error), wait) from error
        return told(record)

    def get(self, job: int) -> JobRecord:
        """Raises `Refusal` (404)."""
        return _found(self.journal.get(job), job)

    def page(self, collection: str | None, before: int | None, limit: int) -> JobList:
        """The newest first."""
        found = self.journal.latest(limit + 1, before, collection)
        shown = [told(record) for record in found[:limit]]
        return JobList(jobs=shown, next=shown[-1].id if len(found) > limit else None)

    def cancel(self, job: int) -> JobOut:
        """The job, cancelled. Raises `Refusal`: 404, and 409 where it has ended otherwise."""
        record = _found(self.journal.cancel(job), job)
        if record.state != "cancelled":
            raise Refusal(409, "job-is-over", f"job {job} is over: {record.state}")
        if record.request and not self.journal.is_at_work(job):
            self._orders.tidy(Order.model_validate_json(record.request))
        return told(record)

    def _taken(self, collection: str, request: JobRequest) -> Order:
        """The order, where the collection is there and can be given what it asks for."""
        opened = self._installation.store.open(collection)
        order = self._orders.take(request)
        if order.captions:
            info = self._installation.encoder(opened).info
            try:
                require_captions(info)
            except InvalidOption as error:
                raise Refusal(409, "no-captions", str(error)) from error
        return order


def told(record: JobRecord) -> JobOut:
    """A job as clients see it."""
    counts = JobCounts.model_validate(record.counts)
    if record.state == "done":
        counts.total = counts.found  # also where it was done before all were counted
    seconds = float(record.counts.get("seconds", 0))
    return JobOut(
        id=record.id,
        collection=record.collection,
        sources=record.sources,
        options=record.options,
        encoder=record.encoder,
        state=record.state,
        is_over=record.is_over,
        started=record.started,
        updated=record.updated,
        counts=counts,
        rates=JobRates.model_validate(record.counts.get("rates") or {}),
        seconds=seconds,
        eta=_eta(record, counts, seconds) if record.state == "running" else None,
        waiting=record.counts.get("waiting", "") if record.state == "running" else "",
        error=record.error,
    )


def _eta(record: JobRecord, counts: JobCounts, seconds: float) -> float | None:
    """As long as so many files took so far, as if none of those to come were unchanged.

    Of captions nothing is known beforehand.
    """
    worked = counts.done + counts.skipped + counts.failed
    if counts.total is None or not worked or record.options.get("captions"):
        return None
    left = max(0, counts.total - worked - counts.unchanged)
    return round(left * seconds / worked, 1)


def _found(record: JobRecord | None, job: int) -> JobRecord:
    if record is None:
        raise Refusal(404, "unknown-job", f"there is no job {job}")
    return record
