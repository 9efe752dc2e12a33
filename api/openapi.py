"""The OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from api.problems import Problem
from api.schemas import ClassifyRequest, PictureRequest, SearchRequest

BODIES = (SearchRequest, PictureRequest, ClassifyRequest, Problem)
REF = "#/components/schemas/{model}"


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
        spec["components"]["schemas"].update(definitions["$defs"])
        app.openapi_schema = spec
    return app.openapi_schema
