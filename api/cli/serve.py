"""`polylens serve`"""

import socket
from typing import Annotated

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


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    towers: TowersFlag = None,
    more: More = None,
) -> None:
    """Serve the web page and the REST API; by default only to this machine."""
    from api.apart import set_apart
    from api.app import create_app
    from api.logs import configure
    from api.security import InsecureSettings
    from api.server import Server

    with installation(
        more,
        host=host,
        port=port,
        data=data,
        collection=collection,
        encoder=encoder,
        device=device,
        towers=towers,
    ) as polylens:
        settings = polylens.settings
        try:
            app = create_app(polylens)
        except InsecureSettings as error:
            raise typer.BadParameter(str(error)) from error
        set_apart()
        with _listen(settings.host, settings.port) as listener:
            configure(as_json=settings.log_format == "json", requests=settings.log_requests)
            shown = f"[{settings.host}]" if ":" in settings.host else settings.host
            port = listener.getsockname()[1]
            typer.echo(f"polylens is running at http://{shown}:{port}/ (Ctrl+C stops it)")
            server = Server(
                app,
                log_config=None,
                timeout_keep_alive=75,  # longer than proxies keep theirs, so that they close first
                timeout_graceful_shutdown=10,
            )
            server.run([listener])


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port that is taken is told before anything else is said."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot listen on {host}:{port}: {reason}; choose another with --port"
        raise typer.BadParameter(message) from error
