import asyncio
import logging
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api import problems
from api.guard import Guard
from api.metrics import Metrics
from api.offload import Overloaded
from api.security import Policy
from api.settings import Settings
from encoders import ModelUnavailable
from indexer import CollectionBusy, CollectionDamaged, NewerFormat, StorageError
from ingestion import NotMedia
from tests.api.routes.test_search import refused

SECRET = "/home/someone/private"


def answer_to(error: Exception, data: Path) -> httpx.Response:
    """What a client gets when a handler raises this."""
    app = FastAPI()
    app.add_middleware(
        Guard,
        policy=Policy(Settings(data=data)),
        metrics=Metrics(),
        max_body_bytes=1_000,
        request_timeout=60.0,
    )
    problems.install(app)

    @app.get("/")
    async def handler() -> None:
        raise error

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/")

    return asyncio.run(ask())


@pytest.mark.parametrize("error_class", problems.KINDS)
def test_every_error_is_a_problem(error_class: type[Exception], tmp_path: Path) -> None:
    kind = problems.KINDS[error_class]
    answer = answer_to(error_class("what happened"), tmp_path)
    assert answer.status_code == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = problems.Problem.model_validate_json(answer.content)
    assert problem.type == f"urn:polylens:{kind.name}"
    assert problem.request_id == answer.headers["x-request-id"]
    assert (problem.detail == "what happened") is kind.told
    assert answer.headers.get("retry-after") == (
        str(kind.retry_after) if kind.retry_after else None
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CollectionBusy("held by process 7"), 503),
        (ModelUnavailable("fetch it"), 503),
        (Overloaded("try again"), 429),
        (NotMedia("a text"), 415),
        (NewerFormat("made by a newer polylens"), 409),
    ],
)
def test_statuses(error: Exception, status: int, tmp_path: Path) -> None:
    assert answer_to(error, tmp_path).status_code == status


@pytest.mark.parametrize(
    "error",
    [RuntimeError(SECRET), OSError(2, SECRET), StorageError(SECRET), CollectionDamaged(SECRET)],
)
def test_text_of_unexpected_errors_goes_to_the_log_alone(
    error: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="polylens"):
        answer = answer_to(error, tmp_path)
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert answer.headers["content-security-policy"]
    (record,) = caplog.records
    assert answer.headers["x-request-id"] in record.getMessage()
    assert record.exc_info is not None
    assert SECRET in str(record.exc_info[1])


def test_what_is_not_there_says_what_is(client: httpx.Client) -> None:
    assert "/docs" in refused(client.get("/v1/nowhere"), 404, "not-found")
    answer = client.post("/v1/status")
    assert refused(answer, 405, "method-not-allowed") == "POST is not possible here: use GET, HEAD"
    assert answer.headers["allow"] == "GET, HEAD"
    answer = client.post("/v1/classify", json={"labels": ["a"]})
    assert refused(answer, 422, "invalid-request").startswith("body: give either an image")
    answer = client.post("/v1/collections", json={"name": "a", "nam": "b"})
    assert "body.nam: there is no such field" in refused(answer, 422, "invalid-request")
