"""`/v1/collections/{name}/compact` and `/verify`."""

from dataclasses import asdict

from fastapi import APIRouter

from api.schemas import Compaction, Verification
from api.security import requires
from api.service import Service, ServiceDep
from api.snapshots import local
from indexer import CollectionDamaged

router = APIRouter(
    prefix="/v1/collections/{name}", tags=["maintenance"], dependencies=[requires("admin")]
)


@router.post("/compact")
async def compact_collection(name: str, service: ServiceDep) -> Compaction:
    """Give back the disk space of what was deleted or replaced; searches and writes go on."""
    return await service.maintenance(_compact, service, name)


@router.post("/verify")
async def verify_collection(name: str, service: ServiceDep) -> Verification:
    """Read all of a collection and compare checksums."""
    return await service.maintenance(_verify, service, name)


def _compact(service: Service, name: str) -> Compaction:
    return Compaction(**asdict(local(service.open(name)).compact()))


def _verify(service: Service, name: str) -> Verification:
    try:
        return Verification(bytes=local(service.open(name)).verify(), damage=None)
    except CollectionDamaged as error:
        # Files are named as they stand in the data folder, wherever that is.
        folder = f"{service.installation.settings.data.absolute()}/"
        return Verification(bytes=None, damage=str(error).replace(folder, ""))
