"""Parse search requests, JSON or multipart, into queries."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from PIL import Image
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData

from api.problems import Refusal
from api.schemas.assets import TextUpload
from api.schemas.search import QueryPart, SearchAnswer, SearchLink, SearchOptions, SearchRequest
from api.schemas.vision import PictureRequest
from ingestion import Limits, load_image
from retrieval import Answer, Part, Query
from retrieval.query import MAX_PARTS, MINUS, parse_filter

BodyModel = TypeVar("BodyModel", bound=BaseModel)
PictureModel = TypeVar("PictureModel", bound=PictureRequest)
JSON = "application/json"
FORM = "multipart/form-data"
SIDE = 1024  # pixels that are enough for any encoder's input


async def read_search(request: Request) -> tuple[SearchRequest, list[bytes]]:
    """The request, and the pictures sent beside it as files.

    Raises `Refusal` for another content type, and `RequestValidationError`.
    """
    kind = content_kind(request)
    if kind == JSON:
        return _parse(SearchRequest, await request.body()), []
    if kind != FORM:
        raise Refusal(415, "unknown-content-type", f"send {JSON} or {FORM}")
    try:
        async with request.form(max_files=MAX_PARTS, max_fields=1) as form:
            _check_fields(form)
            query = form.get("query", "{}")
            pictures = [
                await file.read() for file in form.getlist("image") if not isinstance(file, str)
            ]
    except UnicodeError as error:  # of the charset that the form claims
        raise Refusal(400, "bad-form", "the form is not in the charset it names") from error
    return _parse(SearchRequest, str(query)), pictures


async def read_picture(request: Request, model: type[PictureModel]) -> PictureModel:
    """A picture sent as a file or in JSON, or the stored point that is named.

    Beside a file, `query` holds the other fields as JSON. Raises as `read_search` does.
    """
    kind = content_kind(request)
    if kind == JSON:
        return _parse(model, await request.body())
    if kind != FORM:
        raise Refusal(415, "unknown-content-type", f"send {JSON} or {FORM}")
    async with request.form(max_files=1, max_fields=1) as form:
        _check_fields(form)
        file = form.get("image")
        if file is None or isinstance(file, str):
            raise Refusal(422, "no-picture", "send one file as `image`")
        query = str(form.get("query", "{}"))
        return _parse(model, query, image=await file.read())


async def read_texts(request: Request) -> TextUpload:
    """Texts sent as JSON; raises `RequestValidationError`."""
    return _parse(TextUpload, await request.body())


def content_kind(request: Request) -> str:
    """What the body says it is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_fields(form: FormData) -> None:
    for name, value in form.multi_items():
        if name != ("query" if isinstance(value, str) else "image"):
            raise Refusal(
                422, "unknown-field", f"unknown field {name!r}: send `image` files and `query`"
            )


def to_query(request: SearchRequest, pictures: Sequence[bytes], limits: Limits) -> Query:
    """Decode the pictures; those sent as files weigh 1. Raises `MediaError`, `InvalidQuery`."""
    parts = [_part(part, limits) for part in request.parts]
    parts += [Part(image=_picture(picture, limits)) for picture in pictures]
    return Query(parts, request.filter, **_options(request))


def from_link(link: SearchLink) -> Query:
    """Raises `InvalidQuery`, `InvalidFilter`."""
    parts = [Part(text=link.q)] if link.q is not None else []
    parts += [Part(point=point) for point in link.point]
    parts += [Part(text=text, weight=MINUS) for text in link.minus]
    tree = None if link.filter is None else parse_filter(link.filter, "filter")
    return Query(parts, tree, **_options(link))


def _options(request: SearchOptions) -> dict[str, Any]:
    return {name: getattr(request, name) for name in SearchOptions.model_fields}


def to_answer(answer: Answer) -> SearchAnswer:
    return SearchAnswer.model_validate(answer, from_attributes=True)


def _part(part: QueryPart, limits: Limits) -> Part:
    image = None if part.image is None else _picture(part.image, limits)
    vector = None if part.vector is None else np.array(part.vector, np.float32)
    return Part(part.weight, part.text, image, part.point, vector)


def _picture(data: bytes, limits: Limits) -> Image.Image:
    """No larger than an encoder needs, so that many in one request do not add up."""
    picture = load_image(data, limits, SIDE)
    picture.thumbnail((2 * SIDE, 2 * SIDE))
    return picture


def _parse(model: type[BodyModel], body: str | bytes, **beside: object) -> BodyModel:
    """The body's JSON as a model, with what came `beside` it."""
    try:
        if not beside:
            return model.model_validate_json(body)
        fields = from_json(body)
        return model.model_validate({**fields, **beside} if isinstance(fields, dict) else fields)
    except ValueError as error:
        if not isinstance(error, ValidationError):
            raise Refusal(422, "invalid-request", f"`query` is not JSON: {error}") from error
        raise _invalid(error) from error


def _invalid(error: ValidationError) -> RequestValidationError:
    errors: list[dict[str, Any]] = [
        {**found, "loc": ("body", *found["loc"])} for found in error.errors()
    ]
    return RequestValidationError(errors)
