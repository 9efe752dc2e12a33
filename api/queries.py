"""Search requests as they arrive, JSON or multipart, to the query that retrieval takes."""

from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from PIL import Image
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData

from api.problems import Refusal
from api.schemas import HitOut, PictureRequest, QueryPart, SearchAnswer, SearchRequest
from ingestion import Limits, load_image
from retrieval import Answer, Found, Part, Query
from retrieval.query import MAX_PARTS

BodyModel = TypeVar("BodyModel", bound=BaseModel)
PictureModel = TypeVar("PictureModel", bound=PictureRequest)
JSON = "application/json"
FORM = "multipart/form-data"
SIDE = 1024  # pixels that are enough for any encoder's input


async def read_search(request: Request) -> tuple[SearchRequest, list[bytes]]:
    """The request, and the pictures sent beside it as files.

    Raises `Refusal` for another content type, and `RequestValidationError`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
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
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
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


def _check_fields(form: FormData) -> None:
    for name, value in form.multi_items():
        if name != ("query" if isinstance(value, str) else "image"):
            raise Refusal(
                422, "unknown-field", f"{name!r} is not known: send `image` files and `query`"
            )


def to_query(request: SearchRequest, pictures: Sequence[bytes], limits: Limits) -> Query:
    """Decode the pictures; those sent as files weigh 1. Raises `MediaError`, `InvalidQuery`."""
    parts = [_part(part, limits) for part in request.parts]
    parts += [Part(image=_picture(picture, limits)) for picture in pictures]
    return Query(parts, request.filter, request.limit, request.group, request.vector)


def to_answer(answer: Answer) -> SearchAnswer:
    return SearchAnswer(
        hits=[_hit(found) for found in answer.hits],
        good_match=answer.good_match,
        warnings=answer.warnings,
        took_ms=answer.took_ms,
    )


def _part(part: QueryPart, limits: Limits) -> Part:
    if part.image is None:
        return Part(weight=part.weight, text=part.text, point=part.point)
    return Part(weight=part.weight, image=_picture(part.image, limits))


def _picture(data: bytes, limits: Limits) -> Image.Image:
    """No larger than an encoder needs, so that many in one request do not add up."""
    picture = load_image(data, limits, SIDE)
    picture.thumbnail((2 * SIDE, 2 * SIDE))
    return picture


def _hit(found: Found) -> HitOut:
    return HitOut.model_validate(found, from_attributes=True)


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
