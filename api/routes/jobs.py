"""`/v1/jobs`: ingestion that goes on after the answer."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse

from api.events import CONTENT, Events
from api.failures import failure_page, failures, lines
from api.jobs import told
from api.schemas.jobs import FailurePage, JobList, JobOut, JobPlan, JobRequest
from api.security import requires
from api.service import Service, ServiceDep
from ingestion import JobRecord

router = APIRouter(tags=["jobs"])

TABLES = {"text/csv": "csv", "application/x-ndjson": "jsonl"}


LARGEST = 2**63 - 1  # of the journal's numbers
JobId = Annotated[int, Path(ge=1, le=LARGEST)]


async def _job(job: JobId, service: ServiceDep) -> JobRecord:
    return await service.queries(service.jobs.get, job)


JobDep = Annotated[JobRecord, Depends(_job)]


@router.post(
    "/v1/collections/{name}/jobs",
    status_code=202,
    response_model=JobOut,
    responses={200: {"model": JobPlan, "description": "With dry_run: what would be done."}},
    dependencies=[requires("write")],
)
async def submit_job(name: str, request: JobRequest, service: ServiceDep) -> Response:
    """Ingest folders and files of the server, or URLs; repeat it whenever they change.

    Sources must be in allowed folders or on allowed hosts. Processes only what is new.
    """
    if request.dry_run:
        plan = await service.planning(service.jobs.plan, name, request)
        return JSONResponse(plan.model_dump(mode="json"))
    job = await service.queries(service.jobs.submit, name, request)
    service.runner.wake()
    return JSONResponse(job.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("/v1/jobs")
async def list_jobs(
    service: ServiceDep,
    collection: Annotated[str | None, Query(description="Only into this one.")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="`next` of the previous page.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=250)] = 50,
) -> JobList:
    """List all jobs, including those of the command line, newest first."""
    return await service.queries(service.jobs.page, collection, before, limit)


@router.get("/v1/jobs/{job}")
async def describe_job(job: JobDep) -> JobOut:
    """Show a job and its progress."""
    return told(job)


@router.get(
    "/v1/jobs/{job}/events",
    response_class=Response,
    responses={200: {"content": CONTENT}, 204: {"description": "The end was told before."}},
)
async def follow_job(
    job: JobDep,
    service: ServiceDep,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> Response:
    """Server-sent events: `progress` whenever the job advances, and `end` when it ends.

    The data is a job, as it stands. Whoever connects again gets its present state.
    """
    events = Events(service, job, last_event_id)
    return Response(status_code=204) if events.is_told else EventSourceResponse(events.stream())


@router.post("/v1/jobs/{job}/cancel", dependencies=[requires("write")])
async def cancel_job(job: JobId, service: ServiceDep) -> JobOut:
    """Cancel a job; finished work is kept. It stops within about a second, between two files."""
    return await service.queries(service.jobs.cancel, job)


@router.get(
    "/v1/jobs/{job}/failures",
    response_model=FailurePage,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in TABLES}}},
)
async def list_failures(
    job: JobDep,
    request: Request,
    service: ServiceDep,
    status: Annotated[Literal["failed", "skipped"], Query()] = "failed",
    after: Annotated[str | None, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> FailurePage | Response:
    """List files of its sources that failed and still fail.

    As JSON, CSV or JSON lines, as `Accept` says; `Link` then has the address of the next page.
    """
    page = await service.queries(_page, service, job, status, after, limit)
    kind = next((kind for kind in TABLES if kind in request.headers.get("accept", "")), None)
    if kind is None:
        return page
    url = request.url.include_query_params(after=page.next)
    link = {"Link": f'<{url.path}?{url.query}>; rel="next"'} if page.next else {}
    return Response("".join(lines(page.failures, TABLES[kind])), media_type=kind, headers=link)


def _page(
    service: Service,
    job: JobRecord,
    status: Literal["failed", "skipped"],
    after: str | None,
    limit: int,
) -> FailurePage:
    return failure_page(failures(job, service.open(job.collection), status, after), limit)
