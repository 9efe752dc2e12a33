"""`polylens index`: look after collections."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.options import CollectionName, Data, installation
from api.installation import Installation
from api.snapshots import Snapshots, local, local_store
from indexer import Collection, LocalCollection

index = typer.Typer(
    help="Look after collections: check, shrink, back up, move.", no_args_is_help=True
)
console = Console(highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@index.command()
def info(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Say what a collection holds and what it costs."""
    with _opened(data, collection) as (_, opened):
        _tell(_describe(opened), as_json=as_json)


@index.command()
def verify(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Read all of a collection and compare checksums; damage is named, with exit code 1."""
    with _opened(data, collection) as (_, opened):
        checked = local(opened).verify()
        _tell({"collection": opened.name, "bytes": checked, "damage": "none"}, as_json=as_json)


@index.command()
def compact(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Give back the disk space of what was deleted or replaced; searches and writes go on."""
    with _opened(data, collection) as (_, opened):
        found = local(opened).compact()
        _tell({"collection": opened.name, **asdict(found)}, as_json=as_json)


@index.command()
def snapshot(
    target: Annotated[
        Path | None, typer.Argument(help="File to write; by default in DATA/snapshots.")
    ] = None,
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Back a collection up into one file; searches and writes go on."""
    with _opened(data, collection) as (polylens, opened):
        path = target or Snapshots(polylens.snapshots).new(opened.name)
        manifest = local(opened).snapshot(path)
        told = {"snapshot": str(path), "points": manifest.points, "bytes": manifest.bytes}
        _tell({"collection": opened.name, **told}, as_json=as_json)


@index.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file that `snapshot` wrote.")],
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Make a collection of a snapshot, under the name it had unless another is given."""
    with installation(data=data) as polylens:
        restored = local_store(polylens.store).restore(source, collection)
        _tell({"collection": restored.name, "points": restored.count()}, as_json=as_json)


@contextmanager
def _opened(data: Path | None, collection: str | None) -> Iterator[tuple[Installation, Collection]]:
    with installation(data=data, collection=collection) as polylens:
        yield polylens, polylens.store.open(polylens.settings.collection)


def _describe(collection: Collection) -> dict[str, Any]:
    schema = collection.schema
    described = {
        "collection": collection.name,
        "points": collection.count(),
        "vectors": dict(schema.vectors),
        "encoder": schema.encoder,
    }
    if isinstance(collection, LocalCollection):
        described["disk"] = asdict(collection.usage())
    return described


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    """A line for each field, or all as JSON."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    width = max(map(len, found))
    for name, value in found.items():
        console.print(f"[dim]{name:<{width}}[/]  {escape(_words(value))}")


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
