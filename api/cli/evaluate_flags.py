"""Flags of `polylens eval` alone."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.evaluate import DATASETS
from retrieval.query import MAX_RERANK

Dataset = Annotated[str | None, typer.Argument(help=f"A public data set: {', '.join(DATASETS)}.")]
Root = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="The folder of your copy of it."),
]
Language = Annotated[list[str] | None, typer.Option(help="Only this language; give several.")]
Annotations = Annotated[Path | None, typer.Option(help="MSR-VTT: the list of captions.")]
Frames = Annotated[int, typer.Option(min=1, max=256, help="MSR-VTT: frames of a video.")]
Classes = Annotated[
    Path | None, typer.Option(help="Class names: one a line, or folder, tab, name.")
]
Templates = Annotated[
    Path | None, typer.Option(help="Prompts with {c} for the class; ours by default.")
]
SameNames = Annotated[bool, typer.Option("--same-names", help="Let several classes have one name.")]
Queries = Annotated[
    Path | None,
    typer.Option(help="Instead: your own queries and what they should find, as JSON lines."),
]
Rerank = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_RERANK,
        help="Own queries: hits to compare with the text, if possible.",
    ),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder for the report; by default in the data folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
