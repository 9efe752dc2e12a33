"""`/livez` and `/readyz`, open to probes."""

from fastapi import APIRouter

from api.problems import Refusal
from api.schemas import Health, Readiness
from api.service import ServiceDep

router = APIRouter(tags=["health"])


@router.get("/livez")
async def alive() -> Health:
    """Whether the process answers."""
    return Health(status="alive")


@router.get("/readyz")
async def ready(service: ServiceDep) -> Readiness:
    """Whether the model is loaded, and which auxiliary ones are."""
    if not service.ready:
        raise Refusal(503, "not-ready", "the model is not loaded yet", {"Retry-After": "5"})
    return Readiness(status="ready", heads=service.heads.loaded)
