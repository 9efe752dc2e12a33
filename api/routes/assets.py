"""`/v1/collections/{name}/assets`"""

from fastapi import APIRouter, Request

from api.schemas import UploadReport
from api.security import requires
from api.service import ServiceDep
from api.uploads import received

router = APIRouter(prefix="/v1/collections/{name}/assets", tags=["assets"])

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


@router.post("", openapi_extra=FORM, dependencies=[requires("write")])
async def upload_assets(name: str, request: Request, service: ServiceDep) -> UploadReport:
    """Add images and videos to a collection.

    Each file has its own outcome: one that cannot be used fails alone.
    """
    collection = await service.queries(service.open, name)
    limits, folder = service.upload_limits, service.incoming
    async with received(request, folder, limits, service.writes) as uploads:
        items = await service.writes(service.intake.take, collection, uploads)
    return UploadReport(items=items)
