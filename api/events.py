"""The progress of a job as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from api.jobs import told
from api.offload import Overloaded
from api.service import Service
from ingestion import JobRecord

LOOK = 0.5  # seconds between two looks at the journal
SILENCE = 15.0  # seconds after which a comment shows that the connection is alive
RETRY = 2_000  # milliseconds after which a client that lost it connects again

EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["event", "data", "id"],
    "properties": {
        "event": {"enum": ["progress", "end"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobOut"},
        },
        "id": {"type": "string"},
        "retry": {"type": "integer", "description": "Milliseconds."},
    },
}
CONTENT: dict[str, Any] = {"text/event-stream": {"itemSchema": EVENT}}


class Events:
    """One client's view of a job; it may be another process that works on it."""

    def __init__(self, service: Service, job: JobRecord, last: str | None) -> None:
        """`last` is the id of the last event that the client has seen."""
        self._service = service
        self._job = job
        self._last = last
        self._spoken = time.monotonic()

    @property
    def is_told(self) -> bool:
        """Whether the client has seen its end: an answer of 204 makes it stay away."""
        return self._job.is_over and self._last == _id(self._job)

    async def stream(self) -> AsyncIterator[bytes]:
        """The present state, and each new one, until the job or this process ends."""
        self._last = None
        while not self._service.draining:
            if event := self._news():
                yield event
            if self._job.is_over:
                return
            await asyncio.sleep(LOOK)
            await self._look()

    def _news(self) -> bytes | None:
        new, name = _id(self._job), "end" if self._job.is_over else "progress"
        if new != self._last:
            self._last, self._spoken = new, time.monotonic()
            data = told(self._job).model_dump_json()
            return format_sse_event(data_str=data, event=name, id=new, retry=RETRY)
        if time.monotonic() - self._spoken >= SILENCE:
            self._spoken = time.monotonic()
            return KEEPALIVE_COMMENT
        return None

    async def _look(self) -> None:
        try:
            self._job = await self._service.queries(self._service.jobs.get, self._job.id)
        except Overloaded:
            return  # the next look may be luckier


def _id(job: JobRecord) -> str:
    return f"{job.state}-{int(1000 * job.updated)}"
