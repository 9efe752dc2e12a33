"""Flags that several commands share; each is a setting of the same name."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.installation import Installation
from api.settings import Settings

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder that holds everything polylens keeps.")
]
CollectionName = Annotated[
    str | None, typer.Option("--collection", "-c", help="Name of the collection.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", "-e", help="Encoder name, checkpoint folder or hub id."),
]
Device = Annotated[str | None, typer.Option("--device", help="Torch device, e.g. cuda:0 or cpu.")]


def installation(**flags: Any) -> Installation:  # noqa: ANN401 - each setting has its own type
    """The installation that the flags, the environment and the settings file describe."""
    return Installation(Settings(**{k: v for k, v in flags.items() if v is not None}))
