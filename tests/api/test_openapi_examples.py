"""The examples of the document: each request is answered as its example answer says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from api.openapi_examples import ANSWERS, POINT, REQUESTS
from api.schemas.session import Credentials
from api.schemas.vision import PictureRequest
from tests.api.chat.upstream import upstream
from tests.api.server import Served, serving
from tests.media import encoded, plain

BY_MODEL: dict[str, type[BaseModel]] = {
    "POST /v1/segment": PictureRequest,
    "POST /v1/caption": PictureRequest,
    "POST /v1/session": Credentials,
}
"""What a service without those models, or keys, cannot answer: checked by its model alone."""
FREE = {"payload", "vectors", "scores", "took_ms", "options"}
"""Objects with keys of their own."""


@pytest.fixture
def holidays(tmp_path: Path) -> Iterator[Served]:
    settings = {"roots": [tmp_path], "migrate_targets": [str(tmp_path / "other")]}
    with upstream() as chat, serving(tmp_path / "data", chat=chat.url, **settings) as served:
        yield served


def assert_alike(example: Any, real: Any) -> None:  # noqa: ANN401 - any JSON
    if isinstance(example, dict):
        assert example.keys() == real.keys()
        for name in example.keys() - FREE:
            assert_alike(example[name], real[name])
    elif isinstance(example, list) and example:
        assert_alike(example[0], real[0])
    elif example is not None and real is not None and not isinstance(example, float | int):
        assert type(example) is type(real)


def test_requests_are_answered_as_the_examples_say(holidays: Served, tmp_path: Path) -> None:
    client = holidays.client
    document = client.get("/openapi.json").json()
    there = {"name": "holidays", "alias": "photos", "id": "sku-4711", "point": POINT}
    here: dict[str, Any] = {"sources": [str(tmp_path)], "target": str(tmp_path / "other")}
    for place, request in REQUESTS.items():
        method, path = place.split()
        if place in BY_MODEL:
            BY_MODEL[place].model_validate(request)
            continue
        known = {name: here[name] for name in request.keys() & here.keys()}
        answer = client.request(method, path.format_map(there), json={**request, **known})
        assert answer.is_success, (place, answer.text)
        assert str(answer.status_code) in document["paths"][path][method.lower()]["responses"]
        assert_alike(ANSWERS[place], answer.json())
        if place == "POST /v1/collections/{name}/assets":
            put = client.put(f"{path.format_map(there)}/sku-4711", content=encoded(plain("red")))
            assert_alike(ANSWERS["PUT /v1/collections/{name}/assets/{id}"], put.json())
            snapshot = client.post("/v1/collections/holidays/snapshots").json()
            there["snapshot"] = snapshot["name"]
            assert_alike(ANSWERS["POST /v1/snapshots"], snapshot)
            export = client.post("/v1/collections/holidays/exports").json()
            assert_alike(ANSWERS["POST /v1/exports"], export)
            here["export"] = export["name"]


def test_every_operation_with_a_body_has_examples(holidays: Served) -> None:
    document = holidays.client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                assert "example" in content["application/json"], (method, path)
            success = operation["responses"].get("201") or operation["responses"].get("200", {})
            if content and "application/json" in success.get("content", {}):
                told = [r.get("content", {}) for r in operation["responses"].values()]
                assert any("example" in one.get("application/json", {}) for one in told), path
