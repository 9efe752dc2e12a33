"""Flags that several commands share; each is a setting of the same name."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from api.installation import Installation
from api.settings import Settings, Towers
from encoders import BOTH, Modality
from indexer import Filter
from retrieval import query

Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder: everything polylens stores is in it.")
]
CollectionName = Annotated[
    str | None, typer.Option("--collection", "-c", help="Name of the collection.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", "-e", help="Encoder name, checkpoint folder or hub id."),
]
Device = Annotated[
    str | None, typer.Option("--device", help="Torch device(s), e.g. cuda:0 or cuda:0,cuda:1.")
]
TowersFlag = Annotated[
    Towers | None,
    typer.Option("--towers", help="Load only this tower; default: what the command needs."),
]
FilterFlag = Annotated[
    str | None,
    typer.Option(
        "--filter", help='e.g. \'{"must": [{"key": "kind", "match": {"value": "image"}}]}\''
    ),
]
More = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, e.g. qdrant_shards=6."),
]


Url = Annotated[
    str | None,
    typer.Option(help="Use the service at this URL; `client_key` is the setting for its API key."),
]


def client_key(settings: Settings) -> str | None:
    """The key to show to a service."""
    return settings.client_key.get_secret_value() if settings.client_key else None


def installation(
    more: Sequence[str] | None = None,
    needs: frozenset[Modality] = BOTH,
    **flags: Any,  # noqa: ANN401 - each setting has its own type
) -> Installation:
    """The installation that the flags, the environment and the settings file describe.

    `needs` are the towers that the command uses.
    """
    return Installation(settings(more, **flags), needs)


def settings(more: Sequence[str] | None = None, **flags: Any) -> Settings:  # noqa: ANN401
    """What the flags, the environment and the settings file say."""
    given = dict(map(_setting, more or []))
    given |= {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except OSError as error:
        raise typer.BadParameter(f"the settings file cannot be read: {error}") from error


def _setting(text: str) -> tuple[str, Any]:
    """A name and its value; lists and tables are JSON, as in environment variables."""
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"--set takes NAME=VALUE, e.g. qdrant_shards=6; got {text!r}")
    try:
        return name, json.loads(value) if value[:1] in {"[", "{"} else value
    except ValueError as error:
        raise typer.BadParameter(f"--set {name}: the value is not JSON: {error}") from error


def parse_filter(text: str | None) -> Filter | None:
    """Raises `InvalidQuery` or `InvalidFilter`."""
    return None if text is None else query.parse_filter(text, "--filter")
