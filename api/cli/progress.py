"""A running ingestion, for people."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.render import counted, duration, printable
from indexer import LedgerRow
from ingestion import Plan, Report
from ingestion import Progress as Snapshot

if TYPE_CHECKING:
    from api.bulk import Bulk, Reconciled
    from api.captions import Captioned

MOST_SHOWN = 20  # files named one by one

console = Console(highlight=False)


def follow(snapshots: Generator[Snapshot], console: Console = console) -> Report:
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
            console.print("Stopped. Finished work is kept; repeat the command to continue.")
            raise
    if snapshot.report is None:
        raise RuntimeError("an ingestion ended without its report")
    _summarise(snapshot.report, console)
    return snapshot.report


def follow_captions(steps: Iterable["Captioned"], console: Console = console) -> "Captioned":
    """Count captions as they are written, and say how many there are at the end."""
    with console.status("captions") as status:
        for done in steps:
            status.update(counted(done.written, "caption"))
    missed = counted(done.left_out, "picture was not available", "pictures were not available")
    also = f"; {missed}" if done.left_out else ""
    console.print(f"{counted(done.written, 'caption')} written{also}")
    return done


def show_end(bulk: "Bulk", points: "Reconciled", gone: int, *, pruned: bool) -> None:
    """Say what the collection holds, and what of it is gone."""
    held, accounted = points.collection_points, points.ledger_points
    here = counted(held, "point")
    where = f"collection [bold]{escape(bulk.name)}[/], job {bulk.job}"
    if held == accounted:
        console.print(f"{here} in {where}: matches the ledger")
    elif points.is_short:
        console.print(
            f"[red]{here} in {where}, but the ledger has {accounted:,}[/]: some were removed "
            "or lost. polylens doctor checks; --force processes everything again",
            soft_wrap=True,
        )
    else:
        console.print(f"{here} in {where}: {accounted:,} from ingestion, the rest added directly")
    if bulk.copies:
        one, many = "near-duplicate of a better file", "near-duplicates of better files"
        console.print(f"{counted(bulk.copies, one, many)}: polylens duplicates")
    if gone and pruned:
        one, many = "file no longer exists and was", "files no longer exist and were"
        console.print(f"{counted(gone, one, many)} removed")
    elif gone:
        one, many = "file no longer exists but is", "files no longer exist but are"
        console.print(f"{counted(gone, one, many)} still searchable: --prune removes missing files")


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
            name, reason = escape(asset_name(row.asset)), escape(row.reason)
            console.print(f"[red]{row.status}[/] {name}: {reason}", soft_wrap=True)
    if shown > MOST_SHOWN and not every:
        console.print(f"... and {shown - MOST_SHOWN} more: --list-all lists all")
    for reason, count in skipped.most_common():
        console.print(f"[dim]skipped {count}: {escape(reason)}", soft_wrap=True)


def show_plan(plan: Plan, seconds: float | None) -> None:
    """Print what an ingestion would do, and in about how many `seconds`."""
    console.print(
        f"{counted(plan.found, 'file')} found: [bold]{plan.new} new[/], {plan.changed} changed, "
        f"{plan.unchanged} unchanged, {plan.failed_before} failed before, "
        f"{plan.skipped} skipped, {plan.unusable} unusable"
    )
    also = f", {counted(plan.texts, 'text')}" if plan.texts else ""
    also += f", {plan.elsewhere} to fetch" if plan.elsewhere else ""
    time = f"; about {duration(seconds)}" if seconds is not None else ""
    console.print(
        f"To do: {counted(plan.images, 'image')} and {counted(plan.videos, 'video')}{also}, "
        f"{plan.bytes / 1e6:,.1f} MB{time}"
    )
    for asset, reason in list(plan.reasons.items())[:MOST_SHOWN]:
        console.print(f"  {escape(asset_name(asset))}: {escape(reason)}", soft_wrap=True)


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


def asset_name(asset: str) -> str:
    """An asset as people know it: a local path, or its URI in letters."""
    scheme, _, inner = asset.partition(":")
    local = inner if scheme in ("tar", "row") else asset
    return printable(unquote(local.removeprefix("file://"), errors="replace"))


def _summarise(report: Report, console: Console) -> None:
    rates = report.rates
    console.print(
        f"{counted(report.found, 'file')} found: [bold]{report.done} done[/], "
        f"{report.unchanged} unchanged, "
        f"{report.skipped} skipped, {report.failed} failed; "
        f"{counted(report.points, 'point')} written in {report.seconds:.1f} s",
        soft_wrap=True,
    )
    if report.failed_before:
        console.print(
            f"{report.failed_before} of the unchanged failed before: --retry-failed retries them"
        )
    if report.done:
        console.print(
            f"[dim]each stage alone: decode {rates.decode:.1f} files/s, "
            f"encode {rates.encode:.1f} images/s, write {rates.write:.0f} points/s",
            soft_wrap=True,
        )
