"""`polylens serve`"""

from typing import Annotated

import typer

from api.cli.options import CollectionName, Data, Device, EncoderName, installation


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
) -> None:
    """Serve the page and the REST API; by default only to this machine."""
    import uvicorn

    from api.app import create_app
    from api.security import InsecureSettings

    with installation(
        host=host, port=port, data=data, collection=collection, encoder=encoder, device=device
    ) as polylens:
        settings = polylens.settings
        try:
            app = create_app(polylens)
        except InsecureSettings as error:
            raise typer.BadParameter(str(error)) from error
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        typer.echo(f"polylens is at http://{shown}:{settings.port}/ (Ctrl+C stops it)")
        uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")
