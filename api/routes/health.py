"""`/livez` and `/readyz`, open to probes; `/v1/status` for people, `/metrics` for Prometheus."""

from fastapi import APIRouter, Response

from api.metrics import TYPE
from api.problems import Refusal
from api.refusals import refusals
from api.schemas.service import Health, Readiness
from api.schemas.status import ServiceStatus
from api.service import ServiceDep
from api.status import gauges, status

router = APIRouter(tags=["health"])


@router.get("/livez")
async def alive() -> Health:
    """Whether the process is alive."""
    return Health(status="alive")


@router.get("/readyz", responses=refusals(503))
async def ready(service: ServiceDep) -> Readiness:
    """Whether the model is loaded, and which auxiliary models are."""
    if service.draining:
        raise Refusal(503, "draining", "this process is shutting down", {"Retry-After": "5"})
    if not service.ready:
        why = "; the service's log says what hinders it" if service.hindered else ""
        raise Refusal(503, "not-ready", f"the model is not loaded yet{why}", {"Retry-After": "5"})
    lost = sum(encoder.deaths for encoder in service.installation.encoders)
    return Readiness(status="ready", heads=list(service.heads.loaded), workers_replaced=lost)


@router.get("/v1/status")
async def show_status(service: ServiceDep) -> ServiceStatus:
    """Show the status, for people: queues, collections and their indexes, device, disk."""
    return await service.queries(status, service)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
async def metrics(service: ServiceDep) -> Response:
    """Counters, gauges and a histogram per stage, in Prometheus' text format."""
    measured = await service.queries(gauges, service)
    return Response(service.metrics.export(measured), media_type=TYPE)
