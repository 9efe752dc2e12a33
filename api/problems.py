"""Errors as problem details (RFC 9457): the one place where errors become HTTP answers."""

import errno
import json
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

import encoders.errors as encoding
import indexer.errors as indexing
import ingestion.errors as ingesting
import retrieval.errors as retrieving
from api.heads import NotConfigured
from api.offload import Overloaded
from api.patience import ClientGone, TooLate

logger = logging.getLogger("polylens")


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    at: str = Field(description="Where, e.g. `body.parts.0.text`.")
    message: str


class Problem(BaseModel):
    """Why a request was refused or failed (RFC 9457)."""

    type: str = Field(description="`urn:polylens:` and a stable name for programs.")
    title: str
    status: int
    detail: str = Field(description="What happened and what to do, for people.")
    request_id: str = Field(description="The X-Request-ID of this answer, as in the service's log.")
    errors: list[FieldError] = []


class OpenAIError(BaseModel):
    """Why a request was refused or failed, as OpenAI's clients expect it."""

    message: str
    type: str
    param: str | None
    code: str = Field(description="A stable name for programs.")


class OpenAIProblem(BaseModel):
    """The body of a refusal under the paths that OpenAI's clients use."""

    error: OpenAIError


class Refusal(HTTPException):
    """A request this service refuses for a reason of HTTP itself."""

    def __init__(
        self, status: int, name: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.name = name


@dataclass(frozen=True)
class Kind:
    """How errors of one class are answered.

    The text of those not `told` goes to the log alone, and `said` takes its place.
    """

    status: int
    name: str
    retry_after: int | None = None
    told: bool = True
    said: str = "something went wrong here; the service's log has more under this request id"

    def detail(self, error: Exception) -> str:
        """What clients may know of it."""
        return str(error) if self.told else self.said


KINDS: dict[type[Exception], Kind] = {
    indexing.UnknownCollection: Kind(404, "unknown-collection"),
    indexing.CollectionExists: Kind(409, "collection-exists"),
    indexing.InvalidName: Kind(422, "invalid-name"),
    indexing.InvalidPoint: Kind(422, "invalid-point"),
    indexing.InvalidFilter: Kind(422, "invalid-filter"),
    indexing.InvalidQuery: Kind(422, "invalid-query"),
    indexing.InvalidArchive: Kind(422, "invalid-archive"),
    indexing.NewerFormat: Kind(409, "newer-format"),
    indexing.SchemaMismatch: Kind(409, "schema-mismatch"),
    indexing.CopyDiffers: Kind(409, "copy-differs"),
    indexing.Unsupported: Kind(409, "unsupported"),
    indexing.CollectionBusy: Kind(503, "collection-busy", retry_after=2),
    indexing.BackendUnavailable: Kind(503, "backend-unavailable", retry_after=5, told=False),
    indexing.IndexerError: Kind(500, "storage-failed", told=False),
    encoding.EncoderUnavailable: Kind(503, "encoder-away", retry_after=5, told=False),
    encoding.EncoderMismatch: Kind(409, "encoder-mismatch"),
    encoding.InvalidInput: Kind(422, "invalid-input"),
    encoding.UnknownEncoder: Kind(503, "model-unavailable", retry_after=60),
    encoding.ModelUnavailable: Kind(503, "model-unavailable", retry_after=60),
    encoding.TooLittleMemory: Kind(503, "too-little-memory", retry_after=10),
    encoding.CheckpointError: Kind(503, "model-unusable", retry_after=60),
    encoding.InvalidOption: Kind(503, "model-unusable", retry_after=60),
    encoding.EncoderError: Kind(500, "encoder-failed", told=False),
    retrieving.InvalidCursor: Kind(422, "invalid-cursor"),
    retrieving.InvalidQuery: Kind(422, "invalid-query"),
    retrieving.UnknownPoint: Kind(404, "unknown-point"),
    retrieving.InvalidClasses: Kind(422, "invalid-classes"),
    retrieving.InvalidClassifier: Kind(422, "invalid-classifier"),
    retrieving.ClassifierMismatch: Kind(409, "classifier-mismatch"),
    retrieving.UnknownProbe: Kind(404, "unknown-probe"),
    retrieving.RetrievalError: Kind(500, "search-failed", told=False),
    ingesting.NotMedia: Kind(415, "not-media"),
    ingesting.MediaError: Kind(422, "unreadable-media"),
    ingesting.TowerMissing: Kind(422, "tower-missing"),
    ingesting.IngestError: Kind(500, "ingestion-failed", told=False),
    NotConfigured: Kind(501, "not-configured"),
    TooLate: Kind(503, "too-late", retry_after=1),
    ClientGone: Kind(503, "client-gone"),
    Overloaded: Kind(429, "overloaded", retry_after=1),
}
UNFORESEEN = Kind(500, "unexpected", told=False)
DISK_FULL = Kind(
    507, "disk-full", told=False, said="the disk is full: nothing of this request was stored"
)
OPENAI = ("/v1/chat/", "/v1/models", "/v1/embeddings")
"""Paths whose clients expect errors in OpenAI's shape."""
CLOSE = {"Connection": "close"}
"""For answers before the request was read: the rest would be taken for the next one."""
JSON = "application/json"
UNKNOWN_FIELD = "there is no such field: /docs lists those there are"


def install(app: FastAPI) -> None:
    """Answer every expected error with a problem; unexpected ones are the guard's."""
    for error_class in KINDS:
        app.exception_handler(error_class)(answer_to)
    app.exception_handler(Refusal)(refused)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_exception)


def problem(
    request: Request,
    status: int,
    name: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
) -> Response:
    """The answer for one problem, in OpenAI's shape where its clients call."""
    if request.url.path.startswith(OPENAI):
        status = 400 if status == 422 else status  # as OpenAI answers what it cannot take
        return Response(json.dumps(_openai(status, name, detail)), status, headers, JSON)
    body = Problem(
        type=f"urn:polylens:{name}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request.state.request_id,
        errors=errors or [],
    )
    content = body.model_dump_json(exclude_defaults=True)
    return Response(content, status, headers, "application/problem+json")


def refused(request: Request, error: Refusal) -> Response:
    """The answer for a refusal."""
    return problem(request, error.status_code, error.name, error.detail, headers=error.headers)


def answer_to(request: Request, error: Exception) -> Response:
    """The answer for any error; one that nobody foresaw is logged, and its text stays here."""
    kind = _kind(error)
    if not kind.told:
        logger.error("request %s failed", request.state.request_id, exc_info=error)
    headers = {"Retry-After": str(kind.retry_after)} if kind.retry_after else None
    return problem(request, kind.status, kind.name, kind.detail(error), headers=headers)


def publishable(error: Exception) -> str:
    """What clients may know of an error that ended a job: it is in the log, too."""
    if isinstance(error, ingesting.IngestError) or _kind(error).told:
        return str(error)
    return "something went wrong on the server, whose log has more"


def openai_error(error: Exception) -> dict[str, Any]:
    """What may be told of an error that comes when an answer has begun, in OpenAI's shape."""
    if isinstance(error, Refusal):
        return _openai(error.status_code, error.name, error.detail)
    kind = _kind(error)
    if not kind.told:
        logger.error("a streamed answer failed", exc_info=error)
    return _openai(kind.status, kind.name, kind.detail(error))


def _openai(status: int, name: str, detail: str) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": detail, "type": kind, "param": None, "code": name}}


def _kind(error: Exception) -> Kind:
    if _is_disk_full(error):
        return DISK_FULL
    return next((KINDS[base] for base in type(error).__mro__ if base in KINDS), UNFORESEEN)


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the system or SQLite says so, however it was told since."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def _http_exception(request: Request, error: HTTPException) -> Response:
    name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    headers, detail = error.headers, error.detail
    if error.status_code == 405 and (allowed := _allowed(request)):
        headers = {"Allow": allowed}
        detail = f"{request.method} is not possible here: use {allowed}"
    elif detail == HTTPStatus.NOT_FOUND.phrase:  # no route has the path
        detail = "there is nothing at this path: /docs lists all there is"
    return problem(request, error.status_code, name, detail, headers=headers)


def _allowed(request: Request) -> str:
    """The methods of all routes of a path: each of them knows only its own."""
    routes = request.app.state.routes
    found = [route.methods for route in routes if route.matches(request.scope)[0] != Match.NONE]
    methods = set().union(*found)
    if "GET" in methods:
        methods.add("HEAD")  # which the guard makes of it
    return ", ".join(sorted(methods))


def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    errors = [_field_error(found) for found in error.errors()[:20]]
    detail = "; ".join(f"{found.at}: {found.message}" for found in errors[:3])
    return problem(request, 422, "invalid-request", detail, errors=errors)


def _field_error(found: Mapping[str, Any]) -> FieldError:
    """Without the input itself: it may be large, or a secret."""
    message = UNKNOWN_FIELD if found["type"] == "extra_forbidden" else found["msg"]
    at = ".".join(map(str, found["loc"]))
    return FieldError(at=at, message=message.removeprefix("Value error, "))
