"""`polylens status`"""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.cli.options import Data, More, Url, client_key, settings
from api.cli.render import counted

if TYPE_CHECKING:
    from api.schemas.indexes import IndexStatus


def status(
    url: Url = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    more: More = None,
) -> None:
    """Show the status of a running service; default: the one at the settings' host and port."""
    from api.client import Client

    known = settings(more, data=data)
    host = f"[{known.host}]" if ":" in known.host else known.host
    with Client(url or f"http://{host}:{known.port}", client_key(known), patience=0) as client:
        now = client.status()
    if as_json:
        typer.echo(now.model_dump_json())
        return
    console = Console(highlight=False)
    for name, words in (
        ("polylens", f"{now.version}, up {now.uptime_seconds / 3600:.1f} h"),
        ("model", "ready" if now.ready else "loading"),
        *(("encoder", f"{e.description}; {e.waiting} waiting") for e in now.encoders),
        *(("device", device.name) for device in now.devices),
        ("disk", f"{now.disk.free / 1e9:.1f} of {now.disk.total / 1e9:.1f} GB free"),
        ("waiting", ", ".join(f"{n} {lane}" for lane, n in now.waiting.items() if n) or "nothing"),
        *((c.name, f"{counted(c.points, 'point')}{_index(c.indexes)}") for c in now.collections),
        *((name, "cannot be opened: polylens doctor says why") for name in now.unreadable),
    ):
        console.print(f"[dim]{escape(name):>12}[/] {escape(words)}", soft_wrap=True)


def _index(indexes: "list[IndexStatus]") -> str:
    return "".join(
        f"; {one.vector}: {counted(len(one.segments), 'segment')}, "
        f"{counted(one.unsealed, 'row')} in none"
        for one in indexes
    )
