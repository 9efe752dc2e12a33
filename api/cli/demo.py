"""`polylens demo`"""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Data, EncoderName, More, installation


def demo(
    media: Annotated[
        Path | None, typer.Argument(help="Your own folder instead of the demo photos.")
    ] = None,
    data: Data = None,
    encoder: EncoderName = None,
    more: More = None,
) -> None:
    """Ingest real photos and a film, search them in many languages, and show next steps."""
    from api.demo.run import run, run_on

    with installation(more, data=data, encoder=encoder) as polylens:
        if media is not None:
            run_on(polylens, media)
        elif not run(polylens):
            raise typer.Exit(1)
