"""`/v1/snapshots`: backups of collections, kept in the data folder."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from api.archives import Archives
from api.local import local, local_store
from api.problems import Refusal
from api.refusals import BAD_RANGES
from api.routes.collections import detail
from api.schemas.archives import RestoreRequest, Snapshot, SnapshotList
from api.schemas.collections import CollectionDetail
from api.security import requires
from api.service import Service, ServiceDep
from api.uploads import FORM, Upload, received
from indexer import IndexerError, Manifest
from indexer.checks import check_name
from indexer.local.drafts import draft
from indexer.local.filesystem import sync_file, sync_folder
from indexer.local.restore import check_snapshot
from indexer.local.snapshot import read_manifest

logger = logging.getLogger("polylens")
router = APIRouter(tags=["snapshots"], dependencies=[requires("admin")])

BODY = {"requestBody": {"required": True, "content": FORM}}
TAR = {"content": {"application/x-tar": {}}, "description": "The file."}


@router.post("/v1/collections/{name}/snapshots", status_code=201)
async def create_snapshot(name: str, service: ServiceDep, response: Response) -> Snapshot:
    """Back up a collection; searches and writes continue meanwhile."""
    made = await service.maintenance(_create, service, name)
    response.headers["Location"] = f"/v1/snapshots/{made.name}"
    return made


@router.post("/v1/snapshots", status_code=201, openapi_extra=BODY)
async def upload_snapshot(request: Request, service: ServiceDep, response: Response) -> Snapshot:
    """Upload a snapshot of another installation; it is accepted if its checksums match."""
    limits, folder = service.upload_limits, service.incoming
    async with received(request, folder, limits, service.writes) as uploads:
        kept = await service.maintenance(_keep, service.installation.snapshots, uploads)
    response.headers["Location"] = f"/v1/snapshots/{kept.name}"
    return kept


@router.get("/v1/snapshots")
async def list_snapshots(service: ServiceDep) -> SnapshotList:
    """List the snapshots of all collections."""
    return await service.queries(_list, service.installation.snapshots)


@router.get(
    "/v1/snapshots/{snapshot}",
    response_class=Response,
    responses={200: TAR, 206: TAR, **BAD_RANGES},
)
async def download_snapshot(snapshot: str, service: ServiceDep) -> Response:
    """The file itself."""
    path = await service.queries(_find, service, snapshot)
    return FileResponse(path, media_type="application/x-tar", filename=path.name)


@router.delete("/v1/snapshots/{snapshot}", status_code=204)
async def delete_snapshot(snapshot: str, service: ServiceDep) -> None:
    """Remove a snapshot."""
    await service.writes(lambda: _find(service, snapshot).unlink(missing_ok=True))


@router.post("/v1/snapshots/{snapshot}/restore", status_code=201)
async def restore_snapshot(
    snapshot: str, service: ServiceDep, response: Response, wanted: RestoreRequest | None = None
) -> CollectionDetail:
    """Create a collection from a snapshot, under its old name or another.

    Everything is checked before the collection appears.
    """
    name = wanted.name if wanted else None
    made = await service.maintenance(_restore, service, snapshot, name)
    response.headers["Location"] = f"/v1/collections/{made.name}"
    return made


def _find(service: Service, name: str) -> Path:
    path = service.installation.snapshots.find(name)
    if path is None:
        raise Refusal(404, "unknown-snapshot", f"there is no snapshot {name!r}")
    return path


def _create(service: Service, name: str) -> Snapshot:
    collection = local(service.open(name))
    path = service.installation.snapshots.new(collection.name)
    return _out(path, collection.snapshot(path))


def _keep(snapshots: Archives, uploads: Sequence[Upload]) -> Snapshot:
    """Raises `Refusal` (413, 422), `InvalidArchive`, `NewerFormat`; then nothing is kept."""
    if len(uploads) != 1:
        raise Refusal(422, "not-a-snapshot", "send one file, a snapshot")
    if uploads[0].too_large:
        raise Refusal(413, "too-large", f"{uploads[0].name} is larger than an upload may be")
    snapshots.folder.mkdir(parents=True, exist_ok=True)
    with draft(snapshots.folder, "sent") as folder:
        sent = Path(shutil.move(uploads[0].path, folder / "upload.tar"))
        manifest = check_snapshot(sent)
        check_name(manifest.name)
        sync_file(sent)
        kept = sent.rename(snapshots.new(manifest.name))
        sync_folder(snapshots.folder)
        return _out(kept, manifest)


def _list(snapshots: Archives) -> SnapshotList:
    found = []
    for path in snapshots.all():
        try:
            found.append(_out(path, read_manifest(path)))
        except IndexerError as error:
            logger.error("snapshot %s cannot be listed: %s", path, error)
    return SnapshotList(snapshots=found)


def _restore(service: Service, snapshot: str, name: str | None) -> CollectionDetail:
    path = _find(service, snapshot)
    return detail(local_store(service.installation.store).restore(path, name))


def _out(path: Path, manifest: Manifest) -> Snapshot:
    return Snapshot(
        name=path.name,
        collection=manifest.name,
        points=manifest.points,
        bytes=path.stat().st_size,
        created=manifest.created,
    )
