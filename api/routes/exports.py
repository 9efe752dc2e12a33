"""`/v1/exports`: collections as Parquet files, kept in the data folder."""

import logging
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from api import exports
from api.problems import Refusal
from api.refusals import BAD_RANGES
from api.schemas.archives import Export, ExportList, Import, ImportRequest
from api.security import requires
from api.service import Service, ServiceDep
from api.uploads import FORM, received
from indexer import IndexerError
from indexer.parquet import export_collection, import_collection

logger = logging.getLogger("polylens")
router = APIRouter(tags=["exports"], dependencies=[requires("admin")])

TYPE = "application/vnd.apache.parquet"
BODY = {"requestBody": {"required": True, "content": FORM}}
PARQUET = {"content": {TYPE: {}}, "description": "The file."}


@router.post("/v1/collections/{name}/exports", status_code=201)
async def create_export(name: str, service: ServiceDep, response: Response) -> Export:
    """Export a collection, including vectors, as Parquet; searches and writes continue."""
    made = await service.maintenance(_create, service, name)
    response.headers["Location"] = f"/v1/exports/{made.name}"
    return made


@router.post("/v1/exports", status_code=201, openapi_extra=BODY)
async def upload_export(request: Request, service: ServiceDep, response: Response) -> Export:
    """Upload an export of another installation, as its two files."""
    limits, folder = service.upload_limits, service.incoming
    async with received(request, folder, limits, service.writes) as uploads:
        path = await service.writes(exports.keep, service.installation.exports, uploads)
    response.headers["Location"] = f"/v1/exports/{path.name}"
    return await service.queries(exports.told, path)


@router.get("/v1/exports")
async def list_exports(service: ServiceDep) -> ExportList:
    """List the exports of all collections."""
    return await service.queries(_list, service)


@router.get("/v1/exports/{export}")
async def describe_export(export: str, service: ServiceDep) -> Export:
    """Describe an export."""
    return await service.queries(lambda: exports.told(_find(service, export)))


@router.get(
    "/v1/exports/{export}/{file}",
    response_class=Response,
    responses={200: PARQUET, 206: PARQUET, **BAD_RANGES},
)
async def download_export(
    export: str, file: Literal["points.parquet", "ledger.parquet"], service: ServiceDep
) -> Response:
    """Download one file of an export."""
    folder = await service.queries(_find, service, export)
    return FileResponse(folder / file, media_type=TYPE, filename=file)


@router.delete("/v1/exports/{export}", status_code=204)
async def delete_export(export: str, service: ServiceDep) -> None:
    """Remove an export."""
    kept = service.installation.exports
    await service.writes(lambda: exports.remove(kept, _find(service, export)))


@router.post("/v1/collections/{name}/import")
async def import_export(name: str, wanted: ImportRequest, service: ServiceDep) -> Import:
    """Create a collection from an export, or add the export to one of the same encoder.

    Points with the same id are replaced, so it can be repeated.
    """
    return await service.maintenance(_import, service, name, wanted)


def _find(service: Service, name: str) -> Path:
    path = service.installation.exports.find(name)
    if path is None:
        raise Refusal(404, "unknown-export", f"there is no export {name!r}")
    return path


def _create(service: Service, name: str) -> Export:
    collection = service.open(name)
    path = service.installation.exports.new(collection.name)
    export_collection(collection, path)
    return exports.told(path)


def _list(service: Service) -> ExportList:
    found = []
    for path in service.installation.exports.all():
        try:
            found.append(exports.told(path))
        except (IndexerError, OSError) as error:
            logger.error("export %s cannot be listed: %s", path, error)
    return ExportList(exports=found)


def _import(service: Service, name: str, wanted: ImportRequest) -> Import:
    if wanted.export is not None:
        folder = _find(service, wanted.export)
    else:
        folder = exports.folder_of(wanted.path or "", service.installation.roots)
    found = import_collection(service.installation.store, folder, name)
    return Import(collection=found.collection, points=found.points, assets=found.assets)
