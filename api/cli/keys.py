"""`polylens keys`"""

from typing import Annotated

import typer

from api.cli.options import Data, installation
from api.keys import Keys, NameTaken, Scope

keys = typer.Typer(
    help="Create, list and revoke the API keys of this installation.", no_args_is_help=True
)


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="What the key is for, e.g. page or backup-job.")],
    scope: Annotated[
        Scope, typer.Option(help="What it may do; write includes read, admin includes everything.")
    ] = "read",
    data: Data = None,
) -> None:
    """Create a key and print it once; only its digest is stored."""
    try:
        typer.echo(_keys(data).add(name, scope))
    except NameTaken as error:
        raise typer.BadParameter(str(error)) from error


@keys.command("list")
def show(data: Data = None) -> None:
    """List all keys and their scopes."""
    for key in _keys(data).all():
        typer.echo(f"{key.name}\t{key.scope}\t{key.digest[:12]}")


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name of the key.")], data: Data = None
) -> None:
    """Revoke a key, and end the browser sessions that were opened with it."""
    if not _keys(data).revoke(name):
        raise typer.BadParameter(f"no stored key is called {name!r}: see polylens keys list")


def _keys(data: Data) -> Keys:
    with installation(data=data) as polylens:
        return Keys(polylens.settings.api_keys, polylens.settings.data)
