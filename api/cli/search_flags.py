"""Flags of `polylens search` alone."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

Text = Annotated[
    list[str] | None, typer.Argument(help="What to look for, in any language; - reads stdin.")
]
Image = Annotated[list[Path] | None, typer.Option(help="Look for what resembles it.")]
Point = Annotated[
    list[UUID] | None, typer.Option(help="Look for what resembles a stored point, by id.")
]
Minus = Annotated[list[str] | None, typer.Option(help="Stay away from this text.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many to show.")]
Cursor = Annotated[str | None, typer.Option(help="Go on: `next` of --json, with the same query.")]
Words = Annotated[
    bool,
    typer.Option("--words/--no-words", help="Also find captions by their words."),
]
Effort = Annotated[
    float | None, typer.Option(help="0 to 1: how hard to look; at 1 nothing is missed.")
]
Rerank = Annotated[int, typer.Option(help="Compare so many pictures with the text, one by one.")]
Collapse = Annotated[bool, typer.Option("--collapse", help="Hide near-duplicates.")]
Diversity = Annotated[float, typer.Option(help="0 to 1: prefer hits unlike each other.")]
MinRelevance = Annotated[
    float, typer.Option(help="0 to 1: leave out what is less likely to answer the text.")
]
Candidates = Annotated[
    int | None, typer.Option(help="How many of its best a stage hands to the next.")
]
Vector = Annotated[str | None, typer.Option(help="Search by this vector name alone.")]
Points = Annotated[bool, typer.Option("--points", help="A hit for each moment, not for each file.")]
Explain = Annotated[bool, typer.Option("--explain", help="Show what was done.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Open = Annotated[bool, typer.Option("--open", help="Show the hits in a browser.")]
