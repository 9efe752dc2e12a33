"""Answers as text for people."""

import os

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from retrieval import Answer, Found

console = Console()


def show(answer: Answer) -> None:
    """Print an answer as a table, or say that there is no good match and what comes closest."""
    for warning in answer.warnings:
        console.print(f"[yellow]note:[/] {escape(warning)}")
    if not answer.hits:
        console.print("Nothing relevant: no file is there that passes filter and --min-relevance.")
    elif answer.good_match is False:
        console.print("[bold]Nothing relevant.[/] The closest:")
    if answer.hits:
        console.print(table(answer))
    if answer.stages:
        console.print(stages(answer))


def table(answer: Answer) -> Table:
    """Rank, score, file and the best moment of each hit; poor ones are dim."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("", justify="right", style="dim")
    rows.add_column("score", justify="right")
    rows.add_column("file", overflow="fold")
    rows.add_column("moment")
    for rank, found in enumerate(answer.hits, 1):
        if found.good_match is False and rank > 1 and answer.hits[rank - 2].good_match:
            rows.add_row("", "", "[dim]probably not, but closest after these:[/]", "")
        style = "dim" if found.good_match is False else ""
        score = f"{found.score:.3f}"
        rows.add_row(str(rank), score, escape(place(found)), moment(found), style=style)
    return rows


def stages(answer: Answer) -> Table:
    """What was done, in order."""
    rows = Table(box=None, pad_edge=False, title="What was done", title_justify="left")
    for heading in ("stage", "with", "count", "ms", ""):
        rows.add_column(heading, justify="right" if heading in ("count", "ms") else "left")
    for stage in answer.stages:
        with_, note = escape(stage.using), escape(stage.note)
        rows.add_row(stage.name, with_, str(stage.count), f"{stage.took_ms:.1f}", note)
    return rows


def name(found: Found) -> str:
    """The file's name as far as it is known, else its asset's URI."""
    return printable(str(found.payload.get("name", found.asset)))


def place(found: Found) -> str:
    """The file's folder and name, the home folder as `~`."""
    folder = str(found.payload.get("folder", ""))
    home = os.path.expanduser("~")  # noqa: PTH111 - where there is no home, Path raises
    below = f"{folder}/".startswith(f"{home}/")
    short = f"~{folder.removeprefix(home)}" if below else folder
    return f"{printable(short)}/{name(found)}" if short else name(found)


def printable(text: str) -> str:
    """Without what would move the cursor or colour the terminal: a file name can hold anything."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def moment(found: Found) -> str:
    """The best moment of a video, `m:ss-m:ss`, and how many others there are."""
    if not found.moments:
        return ""
    best, *others = found.moments
    more = f" (+{len(others)})" if others else ""
    return f"{clock(best.start)}-{clock(best.end)}{more}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `1,200 files`; `many` where the plural is more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    """Seconds as people say them, roughly: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
