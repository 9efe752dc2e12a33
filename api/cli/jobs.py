"""`polylens jobs`"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.cli.options import Data, More, installation
from api.cli.progress import asset_name
from api.cli.render import clock
from api.installation import Installation

if TYPE_CHECKING:
    from indexer import LedgerRow, Status
    from ingestion import JobRecord

jobs = typer.Typer(help="Ingestion jobs: progress, results and failures.", no_args_is_help=True)
console = Console(highlight=False)


class Format(StrEnum):
    """How to print failures."""

    table = "table"
    csv = "csv"
    jsonl = "jsonl"


JobNumber = Annotated[int, typer.Argument(metavar="JOB", help="Number of the job, from jobs list.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one job per line.")]


@jobs.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Number of jobs.")] = 20,
    as_json: AsJson = False,
    data: Data = None,
    more: More = None,
) -> None:
    """List the latest jobs, newest first."""
    with installation(more, data=data) as polylens:
        found = _journal(polylens).latest(limit)
    if as_json:
        for job in found:
            typer.echo(json.dumps(asdict(job)))
    elif found:
        console.print(_table(found))
    else:
        console.print("No jobs yet. Start one with: polylens ingest FOLDER")


@jobs.command()
def show(job: JobNumber, as_json: AsJson = False, data: Data = None, more: More = None) -> None:
    """Show one job: its sources and options, its progress, and what to do next."""
    with installation(more, data=data) as polylens:
        found = _job(polylens, job)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    for name, value in _told(found):
        console.print(f"[dim]{name:>10}[/] {escape(value)}", soft_wrap=True)
    console.print(_advice(found), soft_wrap=True)


@jobs.command()
def failures(
    job: Annotated[
        int | None, typer.Argument(metavar="[JOB]", help="Default: the latest.", show_default="")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="Output format.")
    ] = Format.table,
    skipped: Annotated[bool, typer.Option("--skipped", help="Also list skipped files.")] = False,
    data: Data = None,
    more: More = None,
) -> None:
    """List files of a job's sources that failed and still fail, with the reasons."""
    from api.failures import failures as failures_of

    with installation(more, data=data) as polylens:
        record = _latest(polylens) if job is None else _job(polylens, job)
        collection = polylens.store.open(record.collection)
        statuses: list[Status] = ["failed", "skipped"] if skipped else ["failed"]
        _print((row for one in statuses for row in failures_of(record, collection, one)), format_)


@jobs.command()
def cancel(job: JobNumber, data: Data = None, more: More = None) -> None:
    """Cancel a job, wherever it runs; finished work is kept."""
    with installation(more, data=data) as polylens:
        found = _journal(polylens).cancel(_job(polylens, job).id)
    if found.state != "cancelled":
        raise typer.BadParameter(f"job {job} is over: {found.state}")
    console.print(f"job {job} is cancelled")


def _print(rows: Iterable["LedgerRow"], format_: Format) -> None:
    from api.failures import lines

    form = format_.value
    if form == "table":
        for row in rows:
            name = escape(asset_name(row.asset))
            console.print(f"[red]{row.status}[/] {name}: {escape(row.reason)}", soft_wrap=True)
        return
    for line in lines(rows, form):
        typer.echo(line, nl=False)


def _table(found: Iterable["JobRecord"]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("job", "found", "done", "failed"):
        table.add_column(name, justify="right")
    for name in ("state", "begun", "took"):
        table.add_column(name, no_wrap=True)
    for name in ("into", "sources"):
        table.add_column(name, overflow="fold")
    for job in found:
        counts = [str(job.counts.get(name, "")) for name in ("found", "done", "failed")]
        sources = ", ".join(_short(one) for one in job.sources)
        begun = time.strftime("%m-%d %H:%M", time.localtime(job.started))
        row = (str(job.id), *counts, job.state, begun, _took(job), job.collection, sources)
        table.add_row(*map(escape, row))
    return table


def _short(source: str) -> str:
    """The last part of a source's name."""
    return asset_name(source).rstrip("/!").rpartition("/")[2]


def _told(job: "JobRecord") -> Iterator[tuple[str, str]]:
    yield "job", f"{job.id}, {job.state}"
    yield "sources", ", ".join(asset_name(one) for one in job.sources)
    yield "into", f"{job.collection}, by {job.encoder}"
    yield "begun", f"{_when(job.started)}, took {_took(job)}"
    if job.options:
        yield "options", json.dumps(job.options)
    names = ("found", "done", "unchanged", "skipped", "failed", "points")
    counts = [f"{job.counts[name]} {name}" for name in names if name in job.counts]
    yield "counts", ", ".join(counts) or "none yet"
    if job.error:
        yield "error", job.error


def _advice(job: "JobRecord") -> str:
    if job.request and not job.is_over:
        return "polylens serve runs it, or will when it is started."
    if job.state in ("interrupted", "stopped", "cancelled", "failed"):
        return "Finished work is kept: repeat the same polylens ingest to continue."
    if job.counts.get("failed", 0) + job.counts.get("failed_before", 0):
        return (
            f"Reasons: polylens jobs failures {job.id}. Retry: polylens ingest ... --retry-failed"
        )
    return ""


def _journal(polylens: Installation) -> Any:  # noqa: ANN401 - its type is not imported yet
    from ingestion import Journal

    return Journal(polylens.settings.data)


def _job(polylens: Installation, number: int) -> "JobRecord":
    found: JobRecord | None = _journal(polylens).get(number)
    if found is None:
        raise typer.BadParameter(f"there is no job {number}: see polylens jobs list")
    return found


def _latest(polylens: Installation) -> "JobRecord":
    found: list[JobRecord] = _journal(polylens).latest(1)
    if not found:
        raise typer.BadParameter("there are no jobs yet; start one with: polylens ingest FOLDER")
    return found[0]


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _took(job: "JobRecord") -> str:
    return clock(job.updated - job.started)
