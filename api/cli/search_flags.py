"""Flags of `polylens search` alone."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

Text = Annotated[
    list[str] | None, typer.Argument(help="What to look for, in any language; - reads stdin.")
]
Image = Annotated[list[Path] | None, typer.Option(help="Search by this image; repeatable.")]
Point = Annotated[
    list[UUID] | None, typer.Option(help="Search by a stored point's id; repeatable.")
]
Minus = Annotated[list[str] | None, typer.Option(help="Steer away from this text.")]
Limit = Annotated[int, typer.Option("--limit", "-n", help="Number of results.")]
Cursor = Annotated[
    str | None, typer.Option(help="Next page: `next` from --json, with the same query.")
]
Words = Annotated[
    bool,
    typer.Option("--words/--no-words", help="Also find texts and captions by their words."),
]
Effort = Annotated[float | None, typer.Option(help="0 to 1: search effort; 1 is exact.")]
Rerank = Annotated[int, typer.Option(help="Rerank this many results by image-text matching.")]
Collapse = Annotated[bool, typer.Option("--collapse", help="Hide near-duplicates.")]
Diversity = Annotated[float, typer.Option(help="0 to 1: prefer results unlike each other.")]
MinRelevance = Annotated[float, typer.Option(help="0 to 1: drop results of lower relevance.")]
Candidates = Annotated[int | None, typer.Option(help="How many candidates each stage passes on.")]
Vector = Annotated[str | None, typer.Option(help="Search by this vector name only.")]
Points = Annotated[
    bool, typer.Option("--points", help="One result per moment instead of per file.")
]
Explain = Annotated[bool, typer.Option("--explain", help="Show every stage and its time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Open = Annotated[bool, typer.Option("--open", help="Open the results in a browser.")]
