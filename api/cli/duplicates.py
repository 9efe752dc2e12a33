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
from api.cli.render import counted

if TYPE_CHECKING:
    from ingestion import Copy, Group

console = Console(highlight=False, soft_wrap=True)

HINT = (
    "[dim]Copies have the payload key duplicate_of; leave them out of a search with --filter "
    """'{"must": [{"is_empty": {"key": "duplicate_of"}}]}'. After deleting files, run """
    "polylens ingest ... --prune."
)


def duplicates(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Number of groups to show, largest first.")
    ] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all groups as JSON, one group per line.")
    ] = False,
    data: Data = None,
    collection: CollectionName = None,
    more: More = None,
) -> None:
    """Find near-duplicate pictures and videos, and the bytes that you could free.

    The first of a group has the most pixels, then the most bytes, then is the oldest. Look before
    you delete anything: the files look the same to a 64-bit hash, not in every detail.
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
    found = f"{counted(len(groups), 'group')}, {counted(copies, 'copy', 'copies')}"
    console.print(f"{found}, {decimal(spare)} in {'it' if copies == 1 else 'them'}")
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
