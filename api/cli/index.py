"""`polylens index`: look after collections."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from api import indexes
from api.cli.options import CollectionName, Data, Device, EncoderName, installation
from api.installation import Installation
from api.local import local, local_store
from indexer import Collection

index = typer.Typer(
    help="Maintain collections: verify, compact, back up, move.", no_args_is_help=True
)
console = Console(highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@index.command()
def info(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Show what a collection contains and what it costs."""
    with _opened(data, collection) as (polylens, opened):
        _tell(indexes.report(polylens, opened).model_dump(mode="json"), as_json=as_json)


@index.command()
def calibrate(
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Calibrate relevance for this collection; repeat when it has grown a lot."""
    flags: dict[str, Any] = {"data": data, "collection": collection, "encoder": encoder}
    with installation(needs=frozenset({"text"}), device=device, **flags) as polylens:
        opened = polylens.store.open(polylens.settings.collection)
        found = indexes.calibrate(polylens, opened).model_dump(mode="json")
        _tell({"collection": opened.name, "relevance": found}, as_json=as_json)


@index.command()
def verify(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Read a whole collection and compare checksums; exits with code 1 if it finds damage."""
    with _opened(data, collection) as (_, opened):
        checked = local(opened).verify()
        _tell({"collection": opened.name, "bytes": checked, "damage": "none"}, as_json=as_json)


@index.command()
def compact(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Free the disk space of deleted and replaced points; searches and writes continue."""
    with _opened(data, collection) as (_, opened):
        found = local(opened).compact()
        _tell({"collection": opened.name, **asdict(found)}, as_json=as_json)


@index.command()
def build(data: Data = None, collection: CollectionName = None, as_json: Json = False) -> None:
    """Build the approximate index of all vectors now instead of in the background."""
    with _opened(data, collection) as (polylens, opened):
        local(opened).seal()
        _tell(indexes.report(polylens, opened).model_dump(mode="json"), as_json=as_json)


@index.command()
def snapshot(
    target: Annotated[
        Path | None, typer.Argument(help="File to write; default: in DATA/snapshots.")
    ] = None,
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Back up a collection into one file; searches and writes continue."""
    with _opened(data, collection) as (polylens, opened):
        path = target or polylens.snapshots.new(opened.name)
        manifest = local(opened).snapshot(path)
        told = {"snapshot": str(path), "points": manifest.points, "bytes": manifest.bytes}
        _tell({"collection": opened.name, **told}, as_json=as_json)


@index.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file written by `snapshot`.")],
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Create a collection from a snapshot, under its old name unless you give another."""
    with installation(data=data) as polylens:
        restored = local_store(polylens.store).restore(source, collection)
        _tell({"collection": restored.name, "points": restored.count()}, as_json=as_json)


@index.command()
def export(
    target: Annotated[Path, typer.Argument(help="Folder to create.")],
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Export a collection, including vectors, as Parquet files."""
    from indexer.parquet import export_collection

    with _opened(data, collection) as (_, opened):
        _tell(asdict(export_collection(opened, target)), as_json=as_json)


@index.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A folder written by `export`.")],
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Create a collection from an export, or add the export to one of the same encoder."""
    from indexer.parquet import import_collection

    with installation(data=data) as polylens:
        _tell(asdict(import_collection(polylens.store, source, collection)), as_json=as_json)


@index.command()
def migrate(
    target: Annotated[str, typer.Argument(help="URL of a Qdrant server, or a data folder.")],
    name: Annotated[str | None, typer.Option(help="Name of the copy, if different.")] = None,
    data: Data = None,
    collection: CollectionName = None,
    as_json: Json = False,
) -> None:
    """Copy a collection to a Qdrant server or another data folder, and compare the two."""
    from indexer.migrate import migrate as run

    with _opened(data, collection) as (polylens, opened):
        with closing(polylens.store_at(target)) as store:
            found = run(opened, store, name or opened.name)
        _tell({"collection": name or opened.name, **asdict(found)}, as_json=as_json)


@index.command()
def alias(
    name: Annotated[str | None, typer.Argument(help="The alias; without it, lists all.")] = None,
    target: Annotated[str | None, typer.Argument(help="The collection it should refer to.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the alias.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Create an alias of a collection, or move it to another collection."""
    if (name is None) != (target is None and not remove) or (remove and target is not None):
        raise typer.BadParameter("give ALIAS COLLECTION, or ALIAS --remove, or nothing")
    with installation(data=data) as polylens:
        store = polylens.store
        if name is not None and target is not None:
            store.set_alias(name, target)
        elif name is not None:
            store.drop_alias(name)
        _tell(store.aliases() or {"aliases": "none"}, as_json=as_json)


@index.command()
def backfill(
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
) -> None:
    """Read the originals again and add vectors that the encoder makes and the points lack.

    \b
    polylens index backfill -c photos --encoder internvl-g
    """
    from api.cli.ingest import SOME_FAILED
    from api.cli.progress import follow
    from api.media import Originals
    from ingestion import backfill as run

    flags: dict[str, Any] = {"data": data, "collection": collection, "encoder": encoder}
    with installation(needs=frozenset({"image"}), device=device, **flags) as polylens:
        opened = polylens.store.open(polylens.settings.collection)
        items = Originals(polylens).items(opened)
        report = follow(run(items, polylens.encoder(opened), opened))
    if report.failed:
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _opened(data: Path | None, collection: str | None) -> Iterator[tuple[Installation, Collection]]:
    with installation(data=data, collection=collection) as polylens:
        yield polylens, polylens.store.open(polylens.settings.collection)


def _tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    """A line for each field, or all as JSON."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    width = max(map(len, found))
    for name, value in found.items():
        console.print(f"[dim]{name:<{width}}[/]  {escape(_words(value))}")


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return "; ".join(map(_words, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(part)}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
