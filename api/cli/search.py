"""`polylens search`"""

import base64
import io
import json
import webbrowser
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import typer
from PIL import Image

from api.cli import search_flags as flags
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
    text: flags.Text = None,
    image: flags.Image = None,
    point: flags.Point = None,
    minus: flags.Minus = None,
    filter_: FilterFlag = None,
    limit: flags.Limit = 10,
    cursor: flags.Cursor = None,
    words: flags.Words = True,
    effort: flags.Effort = None,
    rerank: flags.Rerank = 0,
    collapse: flags.Collapse = False,
    diversity: flags.Diversity = 0,
    min_relevance: flags.MinRelevance = 0,
    candidates: flags.Candidates = None,
    vector: flags.Vector = None,
    points: flags.Points = False,
    explain: flags.Explain = False,
    as_json: flags.AsJson = False,
    open_: flags.Open = False,
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
    query = Query(
        _parts(text or [], image or [], point or [], minus or []),
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
            raise typer.BadParameter(
                "--open shows files of this machine and cannot be used with --url"
            )
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


def _parts(
    words: Sequence[str], images: Sequence[Path], points: Sequence[UUID], minus: Sequence[str]
) -> list[Part]:
    """What the query is made of; `-` alone stands for the text on stdin."""
    text = read_stdin() if words == ["-"] else " ".join(words)
    return [
        *([Part(text=text)] if words else []),
        *(Part(image=_load(path)) for path in images),
        *(Part(point=point) for point in points),
        *(Part(text=away, weight=MINUS) for away in minus),
    ]


def _load(path: Path) -> RGBImage:
    from ingestion import MediaError, load_image

    try:
        return load_image(path)
    except MediaError as error:
        raise InvalidQuery(f"--image {path}: {error}") from error
