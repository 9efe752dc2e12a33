"""The event stream of a job."""

import httpx

from api.schemas.jobs import JobOut


def events(job: int) -> str:
    """Its path."""
    return f"/v1/jobs/{job}/events"


def told(line: str) -> JobOut | None:
    """The job that a line of the stream tells of."""
    found = line.startswith("data: ")
    return JobOut.model_validate_json(line.removeprefix("data: ")) if found else None


def broken_off() -> httpx.TransportError:
    """What to raise where the stream ended before the job."""
    return httpx.RemoteProtocolError("the stream ended before the job")
