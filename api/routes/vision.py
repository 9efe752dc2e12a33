"""`/v1/segment` and `/v1/caption`: what a picture shows."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.queries import FORM, JSON, read_picture
from api.refusals import refusals
from api.schemas.vision import CaptionAnswer, PictureRequest, SegmentAnswer
from api.service import ServiceDep
from api.vision import caption, segment

router = APIRouter(prefix="/v1", tags=["vision"])

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/PictureRequest"}},
            FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
REFUSED = refusals(403, 404, 409, 410, 501)
PICTURE = {"description": "JSON, or the picture asked for.", "content": {"image/png": {}}}


@router.post(
    "/segment",
    openapi_extra=BODY,
    response_model=SegmentAnswer,
    responses={200: PICTURE, **REFUSED},
)
async def segment_picture(
    request: Request,
    service: ServiceDep,
    answer: Annotated[
        Literal["json", "map", "overlay"],
        Query(description="All as JSON, or one picture: the class map (palette PNG), the overlay."),
    ] = "json",
) -> Any:  # noqa: ANN401 - a model or a picture
    """Classify each pixel of a picture: a file, base64 in JSON, or a stored point."""
    asked = await read_picture(request, PictureRequest)
    found = await service.segmenting(segment, service, asked)
    if answer == "json":
        return found.answer()
    return Response(found.png(answer), media_type="image/png")


@router.post("/caption", openapi_extra=BODY, responses=REFUSED)
async def caption_picture(request: Request, service: ServiceDep) -> CaptionAnswer:
    """Describe a picture in an English sentence, with InternVL-G."""
    asked = await read_picture(request, PictureRequest)
    return await service.queries(caption, service, asked)
