"""A small client of a polylens service, blocking or not.

    with Client("http://127.0.0.1:8000", key="...") as client:
        for hit in client.search("holidays", "a cat on a sofa").hits:
            print(hit.score, hit.asset)

`AsyncClient` has the same methods, to be awaited. What the service refuses raises `ServiceError`; a
service that is busy or cannot be reached is tried again, as long as `patience` lasts.
"""

import asyncio
import base64
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx
from pydantic import BaseModel

from api.refusal import ServiceError as ServiceError
from api.schemas.assets import UploadReport
from api.schemas.collections import CollectionList
from api.schemas.jobs import JobOut, JobPlan
from api.schemas.search import SearchAnswer
from api.schemas.status import ServiceStatus

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

BUSY = frozenset({429, 503})
FIRST_WAIT = 0.2
"""Seconds before the second attempt; doubled each time, and never less than Retry-After asks."""


@dataclass(frozen=True)
class _Call(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    json: Any = None
    files: Sequence[Path] = field(default=())

    def arguments(self, stack: ExitStack) -> dict[str, Any]:
        """For `httpx`; the files are opened anew each time, and streamed."""
        if not self.files:
            return {"json": self.json}
        opened = [("files", (p.name, stack.enter_context(p.open("rb")))) for p in self.files]
        return {"files": opened}


def _model(kind: type[M]) -> Callable[[httpx.Response], M]:
    return lambda response: kind.model_validate_json(response.content)


def _search(
    collection: str,
    text: str | None,
    image: bytes | None,
    point: str | None,
    options: Mapping[str, Any],
) -> _Call[SearchAnswer]:
    parts: list[dict[str, Any]] = []
    if text is not None:
        parts.append({"text": text})
    if image is not None:
        parts.append({"image": base64.b64encode(image).decode()})
    if point is not None:
        parts.append({"point": point})
    body = {"parts": parts, **options}
    path = f"/v1/collections/{collection}/search"
    return _Call("POST", path, _model(SearchAnswer), body)


def _upload(collection: str, files: Sequence[Path]) -> _Call[UploadReport]:
    path = f"/v1/collections/{collection}/assets"
    return _Call("POST", path, _model(UploadReport), files=files)


def _upload_texts(collection: str, texts: Sequence[str]) -> _Call[UploadReport]:
    path = f"/v1/collections/{collection}/assets"
    return _Call("POST", path, _model(UploadReport), {"texts": list(texts)})


def _submit(collection: str, sources: Sequence[str], options: Mapping[str, Any]) -> _Call[JobOut]:
    body = {"sources": list(sources), **options}
    return _Call("POST", f"/v1/collections/{collection}/jobs", _model(JobOut), body)


def _plan(collection: str, sources: Sequence[str], options: Mapping[str, Any]) -> _Call[JobPlan]:
    body = {"sources": list(sources), **options, "dry_run": True}
    return _Call("POST", f"/v1/collections/{collection}/jobs", _model(JobPlan), body)


def _job(job: int) -> _Call[JobOut]:
    return _Call("GET", f"/v1/jobs/{job}", _model(JobOut))


def _cancel(job: int) -> _Call[JobOut]:
    return _Call("POST", f"/v1/jobs/{job}/cancel", _model(JobOut))


def _told(line: str) -> JobOut | None:
    """The job that a line of an event stream tells of."""
    found = line.startswith("data: ")
    return JobOut.model_validate_json(line.removeprefix("data: ")) if found else None


def _broken_off() -> httpx.TransportError:
    return httpx.RemoteProtocolError("the stream ended before the job")


def _collections() -> _Call[CollectionList]:
    return _Call("GET", "/v1/collections", _model(CollectionList))


def _status() -> _Call[ServiceStatus]:
    return _Call("GET", "/v1/status", _model(ServiceStatus))


def _embed(inputs: Sequence[str]) -> _Call[list[list[float]]]:
    def read(response: httpx.Response) -> list[list[float]]:
        return [item["embedding"] for item in response.json()["data"]]

    return _Call("POST", "/v1/embeddings", read, {"input": list(inputs)})


class _Retries:
    """How long to wait before each further attempt, while `patience` seconds last."""

    def __init__(self, patience: float) -> None:
        self._until = time.monotonic() + patience
        self._wait = FIRST_WAIT

    def after(self, answer: httpx.Response | httpx.TransportError) -> float:
        """Seconds to wait; raises `ServiceError` where trying again is of no use."""
        if isinstance(answer, httpx.Response):
            if answer.status_code not in BUSY:
                raise _refused(answer)
            asked = answer.headers.get("retry-after", "")
            wait = max(self._wait, float(asked) if asked.isdigit() else 0)
        else:
            wait = self._wait
        wait *= 1 + random.random() / 4  # noqa: S311 - so that clients do not come back together
        if time.monotonic() + wait > self._until:
            if isinstance(answer, httpx.Response):
                raise _refused(answer)
            raise ServiceError(0, f"the service cannot be reached: {answer}") from answer
        self._wait *= 2
        return wait


def _refused(response: httpx.Response) -> ServiceError:
    try:
        body = response.json()
        detail = body["detail"] if "detail" in body else body["error"]["message"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase
    return ServiceError(response.status_code, str(detail))


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


class Client:
    """Blocking; `timeout` and `patience` are in seconds. Close it, or use it as a context."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60, patience: float = 30
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout)
        self._patience = patience

    def search(
        self,
        collection: str,
        text: str | None = None,
        *,
        image: bytes | None = None,
        point: str | None = None,
        **options: Any,  # noqa: ANN401 - fields of `SearchRequest`
    ) -> SearchAnswer:
        """Search by any mixture of a text, a picture file's bytes and a stored point.

        `options` are further fields of the request: `limit`, `filter`, `group` ...
        """
        return self._send(_search(collection, text, image, point, options))

    def upload(self, collection: str, files: Sequence[Path]) -> UploadReport:
        """Add images and videos; each has its own outcome."""
        return self._send(_upload(collection, files))

    def upload_texts(self, collection: str, texts: Sequence[str]) -> UploadReport:
        """Add texts, each a point; each has its own outcome."""
        return self._send(_upload_texts(collection, texts))

    def submit_job(self, collection: str, sources: Sequence[str], **options: Any) -> JobOut:  # noqa: ANN401
        """Ingest folders and files of the server, or URLs; `options` are those of `JobRequest`."""
        return self._send(_submit(collection, sources, options))

    def plan_job(self, collection: str, sources: Sequence[str], **options: Any) -> JobPlan:  # noqa: ANN401
        """What `submit_job` would do; nothing is done. Listing many files takes a while."""
        return self._send(_plan(collection, sources, options))

    def job(self, job: int) -> JobOut:
        """How far a job is."""
        return self._send(_job(job))

    def cancel_job(self, job: int) -> JobOut:
        """End a job; what it did is kept."""
        return self._send(_cancel(job))

    def watch(self, job: int) -> Iterator[JobOut]:
        """The job as it gets on, to its end."""
        retries = _Retries(self._patience)
        while True:
            try:
                with self._http.stream("GET", f"/v1/jobs/{job}/events") as answer:
                    if answer.is_success:
                        for state in filter(None, map(_told, answer.iter_lines())):
                            yield state
                            if state.is_over:
                                return
                            retries = _Retries(self._patience)
                        raise _broken_off()
                    answer.read()
            except httpx.TransportError as error:
                time.sleep(retries.after(error))
            else:
                time.sleep(retries.after(answer))

    def collections(self) -> CollectionList:
        """All collections."""
        return self._send(_collections())

    def status(self) -> ServiceStatus:
        """How the service stands."""
        return self._send(_status())

    def embed(self, inputs: Sequence[str]) -> list[list[float]]:
        """A vector for each text or data: URI of a picture."""
        return self._send(_embed(inputs))

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, call: _Call[T]) -> T:
        retries = _Retries(self._patience)
        while True:
            try:
                with ExitStack() as stack:
                    arguments = call.arguments(stack)
                    answer = self._http.request(call.method, call.path, **arguments)
            except httpx.TransportError as error:
                time.sleep(retries.after(error))
                continue
            if answer.is_success:
                return call.read(answer)
            time.sleep(retries.after(answer))


class AsyncClient:
    """As `Client`, awaited."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60, patience: float = 30
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout)
        self._patience = patience

    async def search(
        self,
        collection: str,
        text: str | None = None,
        *,
        image: bytes | None = None,
        point: str | None = None,
        **options: Any,  # noqa: ANN401 - fields of `SearchRequest`
    ) -> SearchAnswer:
        """See `Client.search`."""
        return await self._send(_search(collection, text, image, point, options))

    async def upload(self, collection: str, files: Sequence[Path]) -> UploadReport:
        """See `Client.upload`; the files are read into memory."""
        return await self._send(_upload(collection, files))

    async def upload_texts(self, collection: str, texts: Sequence[str]) -> UploadReport:
        """See `Client.upload_texts`."""
        return await self._send(_upload_texts(collection, texts))

    async def submit_job(self, collection: str, sources: Sequence[str], **options: Any) -> JobOut:  # noqa: ANN401
        """See `Client.submit_job`."""
        return await self._send(_submit(collection, sources, options))

    async def plan_job(self, collection: str, sources: Sequence[str], **options: Any) -> JobPlan:  # noqa: ANN401
        """See `Client.plan_job`."""
        return await self._send(_plan(collection, sources, options))

    async def job(self, job: int) -> JobOut:
        """See `Client.job`."""
        return await self._send(_job(job))

    async def cancel_job(self, job: int) -> JobOut:
        """See `Client.cancel_job`."""
        return await self._send(_cancel(job))

    async def watch(self, job: int) -> AsyncIterator[JobOut]:
        """See `Client.watch`."""
        retries = _Retries(self._patience)
        while True:
            try:
                async with self._http.stream("GET", f"/v1/jobs/{job}/events") as answer:
                    if answer.is_success:
                        async for line in answer.aiter_lines():
                            if (state := _told(line)) is None:
                                continue
                            yield state
                            if state.is_over:
                                return
                            retries = _Retries(self._patience)
                        raise _broken_off()
                    await answer.aread()
            except httpx.TransportError as error:
                await asyncio.sleep(retries.after(error))
            else:
                await asyncio.sleep(retries.after(answer))

    async def collections(self) -> CollectionList:
        """See `Client.collections`."""
        return await self._send(_collections())

    async def status(self) -> ServiceStatus:
        """See `Client.status`."""
        return await self._send(_status())

    async def embed(self, inputs: Sequence[str]) -> list[list[float]]:
        """See `Client.embed`."""
        return await self._send(_embed(inputs))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, call: _Call[T]) -> T:
        retries = _Retries(self._patience)
        while True:
            try:
                with ExitStack() as stack:
                    arguments = call.arguments(stack)
                    answer = await self._http.request(call.method, call.path, **arguments)
            except httpx.TransportError as error:
                await asyncio.sleep(retries.after(error))
                continue
            if answer.is_success:
                return call.read(answer)
            await asyncio.sleep(retries.after(answer))
