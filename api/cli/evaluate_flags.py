"""Flags of `polylens eval` alone."""

from pathlib import Path
from typing import Annotated

import typer

from retrieval.evaluate import DATASETS
from retrieval.query import MAX_RERANK

Dataset = Annotated[str | None, typer.Argument(help=f"A public data set: {', '.join(DATASETS)}.")]
Root = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Folder of your copy of the data set."),
]
Language = Annotated[list[str] | None, typer.Option(help="Only this language; repeatable.")]
Annotations = Annotated[Path | None, typer.Option(help="MSR-VTT: the list of captions.")]
Frames = Annotated[int, typer.Option(min=1, max=256, help="MSR-VTT: frames per video.")]
Classes = Annotated[
    Path | None, typer.Option(help="Class names: one per line, or folder, tab, name.")
]
Templates = Annotated[
    Path | None, typer.Option(help="Prompts with {c} for the class; default: built-in.")
]
SameNames = Annotated[
    bool, typer.Option("--same-names", help="Allow several classes with the same name.")
]
Queries = Annotated[
    Path | None,
    typer.Option(help="Instead: your own queries and what they should find, as JSON lines."),
]
Rerank = Annotated[
    int,
    typer.Option(
        min=0,
        max=MAX_RERANK,
        help="Own queries: results to rerank by image-text matching, if possible.",
    ),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder for the report; default: in the data folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
