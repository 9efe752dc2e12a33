"""`/v1/collections/{name}/build`, `/calibrate`, `/compact`, `/verify`, `/migrate`, `/backfill`."""

from contextlib import closing
from dataclasses import asdict

from fastapi import APIRouter, Response

from api import indexes
from api.ingested import Ingested
from api.local import local
from api.orders import Order
from api.problems import Refusal
from api.schemas.indexes import IndexReport, Relevance
from api.schemas.jobs import JobOut
from api.schemas.maintenance import Compaction, Migration, MigrationRequest, Verification
from api.security import requires
from api.service import Service, ServiceDep
from indexer import CollectionDamaged
from indexer.migrate import migrate

router = APIRouter(
    prefix="/v1/collections/{name}", tags=["maintenance"], dependencies=[requires("admin")]
)


@router.post("/build")
async def build_index(name: str, service: ServiceDep) -> IndexReport:
    """Build the approximate index of all vectors now instead of in the background."""
    return await service.maintenance(_build, service, name)


@router.post("/calibrate")
async def calibrate_collection(name: str, service: ServiceDep) -> Relevance:
    """Calibrate relevance for this collection; repeat when it has grown a lot."""
    return await service.maintenance(
        lambda: indexes.calibrate(service.installation, service.open(name))
    )


@router.post("/compact")
async def compact_collection(name: str, service: ServiceDep) -> Compaction:
    """Free the disk space of deleted and replaced points; searches and writes continue."""
    return await service.maintenance(_compact, service, name)


@router.post("/verify")
async def verify_collection(name: str, service: ServiceDep) -> Verification:
    """Read a whole collection and compare checksums."""
    return await service.maintenance(_verify, service, name)


@router.post("/migrate")
async def migrate_collection(name: str, wanted: MigrationRequest, service: ServiceDep) -> Migration:
    """Copy a collection to a Qdrant server or another data folder, and compare the two.

    Only to targets in the setting `migrate_targets`. Repeat an interrupted copy to continue.
    """
    return await service.maintenance(_migrate, service, name, wanted)


@router.post("/backfill", status_code=202)
async def backfill_collection(name: str, service: ServiceDep, response: Response) -> JobOut:
    """Read the originals again and add vectors that the service's encoder makes and points lack.

    Payloads and existing vectors stay as they are.
    """
    job = await service.queries(_backfill, service, name)
    service.runner.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


def _build(service: Service, name: str) -> IndexReport:
    collection = local(service.open(name))
    collection.seal()
    return indexes.report(service.installation, collection)


def _compact(service: Service, name: str) -> Compaction:
    return Compaction(**asdict(local(service.open(name)).compact()))


def _verify(service: Service, name: str) -> Verification:
    try:
        return Verification(bytes=local(service.open(name)).verify(), damage=None)
    except CollectionDamaged as error:
        # Files are named as they stand in the data folder, wherever that is.
        folder = f"{service.installation.settings.data.absolute()}/"
        return Verification(bytes=None, damage=str(error).replace(folder, ""))


def _migrate(service: Service, name: str, wanted: MigrationRequest) -> Migration:
    if wanted.target not in service.installation.settings.migrate_targets:
        raise Refusal(
            403,
            "target-not-allowed",
            f"collections may not be copied to {wanted.target!r:.200}: see the setting "
            "migrate_targets",
        )
    collection = service.open(name)
    target = wanted.name or collection.name
    with closing(service.installation.store_at(wanted.target)) as store:
        return Migration(collection=target, **asdict(migrate(collection, store, target)))


def _backfill(service: Service, name: str) -> JobOut:
    collection = service.open(name).name
    source = Ingested(service.installation, collection)
    return service.jobs.queue(collection, Order(sources=[source.uri]))
