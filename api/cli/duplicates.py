"""`polylens duplicates`"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from api.cli.options import CollectionName, Data, More, installation
from api.cli.progress import asset_name

if TYPE_CHECKING:
    from ingestion import Copy, Group

console = Console(highlight=False, soft_wrap=True)

HINT = (
    "[dim]Copies carry the payload key duplicate_of; a search leaves them out with --filter "
    """'{"must": [{"is_empty": {"key": "duplicate_of"}}]}'. What you delete, """
    "polylens ingest ... --prune forgets."
)


def duplicates(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Most groups to show, the largest first.")
    ] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all groups as JSON for programs, a group a line.")
    ] = False,
    data: Data = None,
    collection: CollectionName = None,
    more: More = None,
) -> None:
    """Pictures and videos that look the same, and the bytes to be had back.

    The first of a group has most pixels, then most bytes, then is the oldest. Look before you
    delete anything: they look the same to a hash of 64 bits, not to the last detail.
    """
    from ingestion import find_duplicates, record_duplicates

    with installation(more, data=data, collection=collection) as polylens:
        opened = polylens.store.open(polylens.settings.collection)
        groups = find_duplicates(opened)
        record_duplicates(opened, groups)
    if as_json:
        for group in groups:
            typer.echo(json.dumps(_told(group), ensure_ascii=False))
        return
    for group in groups[:limit]:
        for copy in (group.best, *group.others):
            indent = "" if copy is group.best else "  "
            console.print(f"{_facts(copy)}  {indent}{escape(asset_name(copy.asset))}")
        console.print()
    copies = sum(len(group.others) for group in groups)
    spare = sum(group.spare for group in groups)
    console.print(f"{len(groups)} groups, {copies} copies, {decimal(spare)} in them")
    if groups:
        console.print(HINT)


def _facts(copy: "Copy") -> str:
    return f"[dim]{copy.width:>6} x {copy.height:<6}{decimal(copy.size):>9}[/]"


def _told(group: "Group") -> dict[str, Any]:
    best, *others = map(_copy, (group.best, *group.others))
    return {"best": best, "others": others, "spare_bytes": group.spare}


def _copy(copy: "Copy") -> dict[str, Any]:
    names = ("asset", "size", "width", "height", "duration")
    return {"id": str(copy.id)} | {name: asdict(copy)[name] for name in names}
