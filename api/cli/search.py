"""`polylens search`"""

import base64
import io
import json
import webbrowser
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from PIL import Image

from api.cli.options import (
    CollectionName,
    Data,
    Device,
    EncoderName,
    FilterFlag,
    More,
    TowersFlag,
    Url,
    client_key,
    installation,
    parse_filter,
    settings,
)
from api.cli.streams import read_stdin
from api.installation import Installation
from api.settings import Settings
from encoders import Modality, RGBImage
from retrieval import Answer, InvalidQuery, Part, Query
from retrieval.query import MINUS


def search(
    text: Annotated[
        list[str] | None, typer.Argument(help="What to look for, in any language; - reads stdin.")
    ] = None,
    image: Annotated[list[Path] | None, typer.Option(help="Look for what resembles it.")] = None,
    point: Annotated[
        list[UUID] | None, typer.Option(help="Look for what resembles a stored point, by id.")
    ] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Stay away from this text.")] = None,
    filter_: FilterFlag = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many to show.")] = 10,
    cursor: Annotated[
        str | None, typer.Option(help="Go on: `next` of --json, with the same query.")
    ] = None,
    words: Annotated[
        bool,
        typer.Option("--words/--no-words", help="Also find captions by their words."),
    ] = True,
    effort: Annotated[
        float | None, typer.Option(help="0 to 1: how hard to look; at 1 nothing is missed.")
    ] = None,
    rerank: Annotated[
        int, typer.Option(help="Compare so many pictures with the text, one by one.")
    ] = 0,
    collapse: Annotated[bool, typer.Option("--collapse", help="Hide near-duplicates.")] = False,
    diversity: Annotated[float, typer.Option(help="0 to 1: prefer hits unlike each other.")] = 0,
    min_relevance: Annotated[
        float, typer.Option(help="0 to 1: leave out what is less likely to answer the text.")
    ] = 0,
    candidates: Annotated[
        int | None, typer.Option(help="How many of its best a stage hands to the next.")
    ] = None,
    vector: Annotated[str | None, typer.Option(help="Search by this vector name alone.")] = None,
    points: Annotated[
        bool, typer.Option("--points", help="A hit for each moment, not for each file.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show what was done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the hits in a browser.")] = False,
    url: Url = None,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    towers: TowersFlag = None,
    more: More = None,
) -> None:
    """Find photos and the moments in videos.

    \b
    polylens search a red bicycle
    polylens search 海边的日落
    polylens search --image shoe.jpg "but blue"
    """
    parts = [
        *_texts(text),
        *(Part(image=_load(path)) for path in image or []),
        *(Part(point=id_) for id_ in point or []),
        *(Part(text=words, weight=MINUS) for words in minus or []),
    ]
    query = Query(
        parts,
        filter=parse_filter(filter_),
        limit=limit,
        group=not points,
        vector=vector,
        cursor=cursor,
        words=words,
        effort=effort,
        candidates=candidates,
        rerank=rerank,
        collapse=collapse,
        diversity=diversity,
        min_relevance=min_relevance,
        explain=explain,
    )
    if url is not None:
        if open_:
            raise typer.BadParameter("--open shows files of this machine: not with --url")
        known = settings(more, data=data, collection=collection)
        _print(_asked(url, known, query), as_json=as_json)
        return
    with installation(
        more,
        _needs(query),
        data=data,
        collection=collection,
        encoder=encoder,
        device=device,
        towers=towers,
    ) as polylens:
        answer = polylens.searcher(polylens.settings.collection).search(query)
        _print(answer, as_json=as_json)
        if open_:
            _open(polylens, answer, " ".join(text or []) or "search")


def _asked(url: str, known: Settings, query: Query) -> Answer:
    """The answer of a running service; pictures are sent as they will be looked at."""
    from pydantic import TypeAdapter

    from api.client import Client
    from api.schemas.search import SearchRequest

    names = {each.name for each in fields(Query)} - {"parts", "filter"}
    options = {name: getattr(query, name) for name in names & SearchRequest.model_fields.keys()}
    if query.filter is not None:
        options["filter"] = query.filter.model_dump(mode="json", exclude_none=True)
    with Client(url, client_key(known)) as client:
        answer = client.search(
            known.collection, parts=[_sent(part) for part in query.parts], **options
        )
    return TypeAdapter(Answer).validate_python(answer.model_dump())


def _sent(part: Part) -> dict[str, Any]:
    sent: dict[str, Any] = {"weight": part.weight}
    if part.text is not None:
        sent["text"] = part.text
    if part.point is not None:
        sent["point"] = str(part.point)
    if part.image is not None:
        assert isinstance(part.image, Image.Image)  # noqa: S101 - as `load_image` made it
        picture = part.image.copy()
        picture.thumbnail((1024, 1024))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        sent["image"] = base64.b64encode(buffer.getvalue()).decode()
    return sent


def _needs(query: Query) -> frozenset[Modality]:
    """The towers that a query's parts pass through; for stored points alone, the one all have."""
    used: dict[Modality, bool] = {
        "text": any(part.text is not None for part in query.parts),
        "image": query.rerank > 0 or any(part.image is not None for part in query.parts),
    }
    return frozenset(tower for tower, is_used in used.items() if is_used) or frozenset({"image"})


def _print(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(answer), default=str, ensure_ascii=False))
        return
    from api.cli.render import show

    show(answer)


def _open(polylens: Installation, answer: Answer, title: str) -> None:
    """Write the hits as a page with pictures and show it in the browser."""
    from api.contact_sheet import ContactSheet, Section

    collection = polylens.store.open(polylens.settings.collection)
    path = polylens.settings.data / "search.html"
    ContactSheet(polylens, collection).write(path, "polylens", [Section(title, answer)])
    webbrowser.open(path.as_uri())


def _texts(words: list[str] | None) -> list[Part]:
    if not words:
        return []
    text = read_stdin() if words == ["-"] else " ".join(words)
    return [Part(text=text)]


def _load(path: Path) -> RGBImage:
    from ingestion import MediaError, load_image

    try:
        return load_image(path)
    except MediaError as error:
        raise InvalidQuery(f"--image {path}: {error}") from error
