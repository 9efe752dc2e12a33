"""The files of a job's sources that could not be used."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice

from api.schemas.jobs import Failure, FailurePage
from indexer import Collection, LedgerRow, Status
from ingestion import JobRecord, belongs

COLUMNS = tuple(Failure.model_fields)


def failures(
    job: JobRecord, collection: Collection, status: Status, after: str | None = None
) -> Iterator[LedgerRow]:
    """The rows that failed, or were skipped, and were not mended since, in order of their URIs.

    Those behind `after`.
    """
    rows = collection.ledger.rows(status, after or "")
    return (row for row in rows if any(belongs(one, row.source, row.asset) for one in job.sources))


def failure_page(rows: Iterable[LedgerRow], limit: int) -> FailurePage:
    """So many of them."""
    found = [Failure.model_validate(row, from_attributes=True) for row in islice(rows, limit + 1)]
    return FailurePage(
        failures=found[:limit], next=found[limit - 1].asset if len(found) > limit else None
    )


def lines(rows: Iterable[LedgerRow | Failure], form: str) -> Iterator[str]:
    """One line for each, in JSON, or in "csv" with the names of the columns before them."""
    if form == "csv":
        yield _csv_line(COLUMNS)
    for row in rows:
        values = {name: getattr(row, name) for name in COLUMNS}
        if form == "csv":
            yield _csv_line(values.values())
        else:
            yield json.dumps(values, ensure_ascii=False) + "\n"


def _csv_line(values: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()
