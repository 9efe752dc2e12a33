"""`/v1/collections/{name}/assets`"""

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api import edits
from api.queries import JSON, content_kind, read_texts
from api.schemas.assets import ID, AssetOut, AssetPage, UploadItem, UploadReport
from api.security import requires
from api.service import ServiceDep
from api.uploads import FILES, describe, received, received_file
from indexer import Collection
from indexer.ledger import Status

router = APIRouter(prefix="/v1/collections/{name}/assets", tags=["assets"])

PAYLOAD = {
    "description": "To filter on: one for all files, or a list of one for each.",
    "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/TextUpload"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"files": FILES, "payload": PAYLOAD}},
                "encoding": {"payload": {"contentType": JSON}},
            },
        },
    }
}


FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
AssetId = Annotated[str, Path(pattern=ID, description="Of your own.", examples=["sku-4711"])]


LATER: dict[int | str, dict[str, Any]] = {
    202: {"model": UploadReport, "description": "Kept; a job indexes what is `queued`."}
}


@router.post(
    "",
    openapi_extra=FORM,
    dependencies=[requires("write")],
    responses=LATER,
)
async def upload_assets(
    name: str, request: Request, service: ServiceDep, response: Response
) -> UploadReport:
    """Add images and videos to a collection as a multipart form, or texts as JSON.

    Each has its own outcome: one that cannot be used fails alone. Videos, and more than a few
    files, are indexed by a job: its events tell the rest.
    """
    collection = await service.queries(service.open, name)
    if content_kind(request) == JSON:
        texts = (await read_texts(request)).texts
        return await service.writes(service.intake.take_texts, collection, texts)
    limits, folder = service.upload_limits, service.incoming
    lane = service.writes
    async with received(request, folder, limits, lane, described=True) as uploads:
        report = await service.writes(service.intake.take, collection, uploads)
    if report.job is not None:
        service.runner.wake()
        response.status_code = 202
        response.headers["Location"] = f"/v1/jobs/{report.job}"
    return report


@router.get("")
async def list_assets(
    name: str,
    service: ServiceDep,
    status: Annotated[Status | None, Query(description="Only these.")] = None,
    after: Annotated[str | None, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> AssetPage:
    """List what ingestion did with each file, ordered by URI."""
    return await service.queries(lambda: _page(service.open(name), status, after, limit))


@router.put(
    "/{id}",
    openapi_extra=FILE,
    dependencies=[requires("write")],
    responses={201: {"model": UploadItem, "description": "There was none of that id."}},
)
async def put_asset(
    name: str,
    id: AssetId,  # noqa: A002 - the field's word for it
    request: Request,
    service: ServiceDep,
    response: Response,
    payload: Annotated[
        str | None, Query(max_length=16_384, description="A JSON object of your own, to filter on.")
    ] = None,
) -> UploadItem:
    """Store an image or a video under your own id, replacing what it had.

    The body is the file itself. The same again changes nothing; a file that cannot be used neither.
    """
    collection = await service.queries(service.open, name)
    limits, folder = service.upload_limits, service.incoming
    async with received_file(request, id, folder, limits, service.writes) as upload:
        if payload is not None:
            describe([upload], payload.encode())
        item, is_new = await service.writes(service.intake.put, collection, upload)
    response.status_code = 201 if is_new else 200
    return item


@router.get("/{id}")
async def get_asset(name: str, id: AssetId, service: ServiceDep) -> AssetOut:  # noqa: A002
    """Show what ingestion did with the file of your own id."""
    row = await service.queries(lambda: edits.find_asset(service.open(name), f"id:{id}"))
    return AssetOut.model_validate(row, from_attributes=True)


@router.delete("/{id}", status_code=204, dependencies=[requires("write")])
async def delete_asset_by_id(name: str, id: AssetId, service: ServiceDep) -> None:  # noqa: A002
    """Remove the file of your own id and all its points."""
    await service.writes(edits.delete_asset, service.installation, name, f"id:{id}")


@router.delete("", status_code=204, dependencies=[requires("write")])
async def delete_asset(
    name: str,
    service: ServiceDep,
    uri: Annotated[str, Query(min_length=1, max_length=8192, description="The asset's URI.")],
) -> None:
    """Remove a file and all its points. An upload is deleted with its last collection."""
    await service.writes(edits.delete_asset, service.installation, name, uri)


def _page(
    collection: Collection, status: Status | None, after: str | None, limit: int
) -> AssetPage:
    found = list(islice(collection.ledger.rows(status, after or ""), limit + 1))
    shown = [AssetOut.model_validate(row, from_attributes=True) for row in found[:limit]]
    return AssetPage(assets=shown, next=shown[-1].asset if len(found) > limit else None)
