"""`/v1/collections/{name}/assets`"""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import edits
from api.schemas import AssetOut, AssetPage, UploadReport
from api.security import requires
from api.service import ServiceDep
from api.uploads import received
from indexer import Collection
from indexer.ledger import Status

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


@router.get("")
async def list_assets(
    name: str,
    service: ServiceDep,
    status: Annotated[Status | None, Query(description="Only these.")] = None,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> AssetPage:
    """What ingestion did with each file, in the order of their URIs."""
    return await service.queries(lambda: _page(service.open(name), status, after, limit))


@router.delete("", status_code=204, dependencies=[requires("write")])
async def delete_asset(
    name: str,
    service: ServiceDep,
    uri: Annotated[str, Query(min_length=1, max_length=8192, description="The asset's URI.")],
) -> None:
    """Forget a file with all its points; the upload goes with its last collection."""
    await service.writes(edits.delete_asset, service.installation, name, uri)


def _page(
    collection: Collection, status: Status | None, after: str | None, limit: int
) -> AssetPage:
    rows = (row for row in collection.ledger.rows(status) if after is None or row.asset > after)
    found = list(islice(rows, limit + 1))
    shown = [AssetOut.model_validate(row, from_attributes=True) for row in found[:limit]]
    return AssetPage(assets=shown, next=shown[-1].asset if len(found) > limit else None)
