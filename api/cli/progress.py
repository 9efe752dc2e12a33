"""A running ingestion, for people."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from urllib.parse import unquote

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.render import printable
from indexer import LedgerRow
from ingestion import Plan, Report
from ingestion import Progress as Snapshot

MOST_SHOWN = 20  # files named one by one

console = Console(highlight=False)


def follow(snapshots: Generator[Snapshot]) -> Report:
    """Show progress until the end, then the reconciled counts, which are returned.

    Whatever goes wrong with showing it, the work is ended before this is left.
    """
    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with closing(snapshots), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        try:
            for snapshot in snapshots:
                settled, words = _settled(snapshot), _standing(snapshot)
                bar.update(task, completed=settled, total=snapshot.total, description=words)
        except KeyboardInterrupt:
            console.print("Stopped. What was done is kept: repeat the command to go on.")
            raise
    if snapshot.report is None:
        raise RuntimeError("an ingestion ended without its report")
    _summarise(snapshot.report)
    return snapshot.report


def show_left_out(rows: Iterable[LedgerRow], *, every: bool) -> None:
    """Say why files are not searchable: failures by name, files that are not media by reason.

    Only the first failures are named unless `every` is set; then skipped files are, too.
    """
    shown = 0
    skipped: Counter[str] = Counter()
    for row in rows:
        if row.status == "skipped" and not every:
            skipped[row.reason] += 1
            continue
        shown += 1
        if shown <= MOST_SHOWN or every:
            name, reason = escape(_name(row.asset)), escape(row.reason)
            console.print(f"[red]{row.status}[/] {name}: {reason}", soft_wrap=True)
    if shown > MOST_SHOWN and not every:
        console.print(f"... and {shown - MOST_SHOWN} more: --list-all names every one")
    for reason, count in skipped.most_common():
        console.print(f"[dim]skipped {count}: {escape(reason)}", soft_wrap=True)


def show_plan(plan: Plan) -> None:
    """Print what an ingestion would do."""
    console.print(
        f"{plan.found} files found: [bold]{plan.new} new[/], {plan.changed} changed, "
        f"{plan.unchanged} unchanged, {plan.failed_before} failed before, "
        f"{plan.skipped} skipped, {plan.unusable} unusable"
    )
    console.print(
        f"To do: {plan.images} images and {plan.videos} videos, {plan.bytes / 1e6:,.1f} MB"
    )
    for asset, reason in list(plan.reasons.items())[:MOST_SHOWN]:
        console.print(f"  {escape(_name(asset))}: {escape(reason)}", soft_wrap=True)


def _settled(snapshot: Snapshot) -> int:
    return snapshot.done + snapshot.unchanged + snapshot.skipped + snapshot.failed


def _standing(snapshot: Snapshot) -> str:
    if snapshot.waiting:
        return f"[yellow]waiting, nothing is lost:[/] {escape(snapshot.waiting)}"
    rates = snapshot.rates
    return (
        f"[dim]decode {rates.decode:.0f}/s · encode {rates.encode:.0f}/s "
        f"· write {rates.write:.0f}/s"
    )


def _name(asset: str) -> str:
    return printable(unquote(asset.removeprefix("file://"), errors="replace"))


def _summarise(report: Report) -> None:
    rates = report.rates
    console.print(
        f"{report.found} files found: [bold]{report.done} done[/], {report.unchanged} unchanged, "
        f"{report.skipped} skipped, {report.failed} failed; "
        f"{report.points} points written in {report.seconds:.1f} s",
        soft_wrap=True,
    )
    if report.failed_before:
        console.print(
            f"{report.failed_before} of the unchanged failed before: --retry-failed tries again"
        )
    if report.done:
        console.print(
            f"[dim]each stage by itself: decode {rates.decode:.1f} files/s, "
            f"encode {rates.encode:.1f} images/s, write {rates.write:.0f} points/s",
            soft_wrap=True,
        )
