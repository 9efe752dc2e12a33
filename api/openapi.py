"""The OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.openapi_examples import add_examples
from api.problems import OPENAI, OpenAIProblem, Problem
from api.refusals import OPENAI_TYPE, refusals
from api.schemas.assets import TextUpload
from api.schemas.search import SearchRequest
from api.schemas.vision import ClassifyRequest, PictureRequest
from api.security import PROBES

BODIES = (SearchRequest, PictureRequest, ClassifyRequest, TextUpload, Problem, OpenAIProblem)
REF = "#/components/schemas/{model}"
ANYWHERE = (401, 403, 421, 429, 500, 503)
"""What the guard answers, whatever was asked."""
OF_A_NAME = (404, 409)
"""Where a path names something, which may be unknown, or made by another encoder or version."""
OF_A_BODY = (400, 408, 413, 415, 507)
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key made by `polylens keys add`; not needed where none was made.",
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of all routes, with the bodies that their handlers read themselves."""
    if app.openapi_schema is None:
        spec = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        _, definitions = models_json_schema(
            [(model, "validation") for model in BODIES],
            ref_template=REF,
        )
        components = spec["components"]
        components["schemas"].update(definitions["$defs"])
        for unused in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(unused, None)
        components["securitySchemes"] = {"key": KEY}
        spec["security"] = [{}, {"key": []}]
        for path, methods in spec["paths"].items():
            for operation in methods.values():
                _add_refusals(path, operation["responses"], "requestBody" in operation)
        add_examples(spec["paths"])
        app.openapi_schema = spec
    return app.openapi_schema


def _add_refusals(path: str, responses: dict[str, Any], has_body: bool) -> None:
    """Every status that an operation can be refused with, each in the shape it will have."""
    can_be_wrong = has_body or "422" in responses
    responses.pop("422", None)
    found = [int(status) for status in responses if int(status) >= 400]
    if path not in PROBES:
        found += ANYWHERE
    found += OF_A_NAME if "{" in path else ()
    found += OF_A_BODY if has_body else ()
    openai = path.startswith(OPENAI)
    if can_be_wrong:
        found.append(400 if openai else 422)
    for status, answer in refusals(*sorted(set(found))).items():
        content = answer["content"]
        if openai:
            content = {OPENAI_TYPE: {"schema": {"$ref": REF.format(model="OpenAIProblem")}}}
        known = responses.get(str(status), {})
        content = {**known.get("content", {}), **content}
        responses[str(status)] = {**answer, **known, "content": content}
