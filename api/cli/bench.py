"""`polylens bench`"""

import base64
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from api.cli.options import CollectionName, Data, EncoderName, More, Url, client_key, installation
from api.installation import Installation
from api.load import Connect, Load, posting, press
from api.settings import Settings
from ingestion import load_image
from retrieval import Part, Query

THINGS = ("a red bicycle", "ein Hund im Schnee", "un gato", "海边的日落", "children on a beach")


def bench(
    url: Url = None,
    clients: Annotated[
        list[int] | None, typer.Option(help="Number of concurrent clients; repeatable.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="Duration for each number of clients.")
    ] = 5,
    text: Annotated[
        list[str] | None, typer.Option(help="Query text; a number is appended to each request.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Query by this picture instead.")] = None,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    more: More = None,
) -> None:
    """Measure searches per second of a service, or of this installation without --url.

    No two texts are the same, so none is answered from the cache.
    """
    texts = text or THINGS
    with installation(more, data=data, collection=collection, encoder=encoder) as polylens:
        connect = (
            _engine(polylens, texts, image)
            if url is None
            else _service(polylens.settings, url, _body(texts, image))
        )
        loads = [press(connect, count, seconds) for count in clients or [1, 16]]
    Console().print(_table(loads))
    if any(load.failed for load in loads):
        raise typer.Exit(1)


def _body(texts: Sequence[str], image: Path | None) -> Callable[[int], dict[str, Any]]:
    if image is not None:
        picture = base64.b64encode(image.read_bytes()).decode()
        return lambda _: {"parts": [{"image": picture}]}
    return lambda number: {"parts": [{"text": _text(texts, number)}]}


def _service(settings: Settings, url: str, body: Callable[[int], dict[str, Any]]) -> Connect:
    """Raises `ServiceError` where no search there can be answered."""
    from api.client import Client

    name, key = settings.collection, client_key(settings)
    with Client(url, key, patience=0) as client:
        client.collection(name)
    return posting(url, f"/v1/collections/{quote(name)}/search", body, key)


def _engine(polylens: Installation, texts: Sequence[str], image: Path | None) -> Connect:
    searcher = polylens.searcher(polylens.settings.collection)
    picture = load_image(image) if image else None

    def call(number: int) -> int:
        part = Part(image=picture) if picture else Part(text=_text(texts, number))
        searcher.search(Query([part]))
        return 200

    return lambda: nullcontext(call)


def _text(texts: Sequence[str], number: int) -> str:
    return f"{texts[number % len(texts)]} {number}"


def _table(loads: Sequence[Load]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("clients", "searches/s", "p50 ms", "p99 ms", "failed"):
        table.add_column(name, justify="right")
    for load in loads:
        failed = ", ".join(f"{n} x {status or 'no answer'}" for status, n in load.failed.items())
        times = [f"{load.milliseconds(percent):.1f}" for percent in (50, 99)]
        table.add_row(str(load.clients), f"{load.rate:.0f}", *times, failed or "0")
    return table
