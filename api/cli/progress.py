"""A running ingestion, for people."""

from collections.abc import Iterable
from urllib.parse import unquote

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ingestion import Plan, Report
from ingestion import Progress as Snapshot

MOST_SHOWN = 20  # failures printed one by one

console = Console(highlight=False)


def follow(snapshots: Iterable[Snapshot]) -> Report:
    """Show progress until the end, then the reconciled counts, which are returned."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[rates]}"),
    )
    failures = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("ingesting", total=None, rates="")
        for snapshot in snapshots:
            failures += _tell(snapshot, failures)
            bar.update(
                task, completed=_settled(snapshot), total=snapshot.total, rates=_rates(snapshot)
            )
    if snapshot.report is None:
        raise RuntimeError("an ingestion ended without its report")
    _summarise(snapshot.report)
    return snapshot.report


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


def _rates(snapshot: Snapshot) -> str:
    rates = snapshot.rates
    return (
        f"decode {rates.decode:.0f} files/s · encode {rates.encode:.0f} images/s "
        f"· write {rates.write:.0f} points/s"
    )


def _tell(snapshot: Snapshot, failures: int) -> int:
    """Print a failure, the first few of them; returns 1 if there was one."""
    event = snapshot.event
    if event is None or event.status != "failed":
        return 0
    if failures < MOST_SHOWN:
        reason = escape(event.reason)
        console.print(f"[red]failed[/] {escape(_name(event.asset))}: {reason}", soft_wrap=True)
    elif failures == MOST_SHOWN:
        console.print("[red]...[/] further failures are in the ledger, not shown here")
    return 1


def _name(asset: str) -> str:
    return unquote(asset.removeprefix("file://"), errors="replace")


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
            f"[dim]each stage alone: decode {rates.decode:.1f} files/s, "
            f"encode {rates.encode:.1f} images/s, write {rates.write:.0f} points/s",
            soft_wrap=True,
        )
