"""`/v1/classify`: which labels fit."""

from typing import Any

from fastapi import APIRouter, Request

from api.classification import classify
from api.queries import FORM, JSON, read_picture
from api.refusals import refusals
from api.schemas.vision import ClassifyAnswer, ClassifyRequest
from api.service import ServiceDep

router = APIRouter(prefix="/v1", tags=["vision"])

REQUEST: dict[str, Any] = {"$ref": "#/components/schemas/ClassifyRequest"}
PICTURE = {"type": "string", "format": "binary"}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": REQUEST},
            FORM: {
                "schema": {"type": "object", "properties": {"query": REQUEST, "image": PICTURE}},
                "encoding": {"query": {"contentType": JSON}},
            },
        },
    }
}


@router.post("/classify", openapi_extra=BODY, responses=refusals(404, 409))
async def classify_picture(request: Request, service: ServiceDep) -> ClassifyAnswer:
    """Label a picture or a stored point, by class names (zero-shot) or a trained probe.

    As JSON with the picture in base64, or as a form with the picture as a file beside `query`.
    """
    asked = await read_picture(request, ClassifyRequest)
    return await service.queries(classify, service, asked)
