"""`polylens ingest`"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    CollectionName,
    Data,
    Device,
    EncoderName,
    More,
    TowersFlag,
    installation,
)
from api.cli.progress import console, follow, show_left_out, show_plan
from indexer import Collection, LedgerRow

if TYPE_CHECKING:
    from ingestion import Item

SOME_FAILED = 3  # exit code


def ingest(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Folders or files of photos and videos."),
    ],
    include: Annotated[
        list[str] | None, typer.Option(help="Only paths that match this glob, e.g. '*.jpg'.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Not paths that match this.")] = None,
    follow_symlinks: Annotated[bool, typer.Option(help="Also enter linked folders.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Try what failed before again.")] = False,
    prune: Annotated[bool, typer.Option(help="Forget files that are gone.")] = False,
    list_all: Annotated[bool, typer.Option(help="Name every file that was left out.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and do nothing.")] = False,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    towers: TowersFlag = None,
    more: More = None,
) -> None:
    """Make folders of photos and videos searchable.

    Does only what is new or changed; stop and repeat it whenever you like.
    """
    from ingestion import IngestOptions, Limits, plan, walk
    from ingestion import ingest as run

    sources = [_path(name) for name in names]
    with installation(
        more,
        frozenset({"image"}),
        data=data,
        collection=collection,
        encoder=encoder,
        device=device,
        towers=towers,
    ) as polylens:
        limits = Limits(max_pixels=polylens.settings.max_image_pixels)
        options = IngestOptions(limits=limits, retry_failed=retry_failed)
        walks = [walk(path, include or (), exclude or (), follow_symlinks) for path in sources]
        items = _distinct(chain.from_iterable(walks))
        name = polylens.settings.collection
        if dry_run:
            existing = polylens.collection()
            show_plan(plan(items, existing, polylens.encoder(existing), options))
            return
        target = polylens.open_or_create(name)
        using = polylens.encoder(target)
        for source in sources:
            polylens.roots.add(source)
        console.print(f"Into collection [bold]{name}[/] with encoder [bold]{using.info.name}[/]")
        report = follow(run(items, using, target, options))
        _tidy(target, sources, prune=prune)
        show_left_out(_left_out(target, sources), every=list_all)
    if report.done + report.unchanged == 0:
        raise typer.Exit(1)
    if report.failed + report.failed_before:
        raise typer.Exit(SOME_FAILED)


def _path(name: str) -> Path:
    if not name:
        raise typer.BadParameter("a source is empty; the folder you are in is .")
    return Path(name)


def _left_out(collection: Collection, sources: list[Path]) -> Iterator[LedgerRow]:
    """What the ledger has of these sources as failed or skipped, in this run or an earlier one."""
    from ingestion import below

    for status in ("failed", "skipped"):
        rows = collection.ledger.rows(status)
        yield from (row for row in rows if below(row.asset, sources))


def _tidy(collection: Collection, sources: list[Path], *, prune: bool) -> None:
    """Forget the files that are gone, or say that there are some."""
    from ingestion import forget, vanished

    gone = list(vanished(collection.ledger, sources))
    if gone and prune:
        console.print(f"{forget(collection, gone)} files are gone, and forgotten")
    elif gone:
        console.print(f"{len(gone)} files are gone but still found: --prune forgets them")


def _distinct(items: Iterable["Item"]) -> Iterator["Item"]:
    """Each asset once, where sources overlap."""
    seen: set[str] = set()
    for item in items:
        if item.asset not in seen:
            seen.add(item.asset)
            yield item
