"""The client that is awaited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import wraps
from types import TracebackType
from typing import IO, Concatenate, ParamSpec, Self, TypeVar

import httpx

from api.client import operations, upkeep
from api.client.call import Call, headers, whole
from api.client.events import broken_off, events, told
from api.client.retries import Retries
from api.schemas.jobs import JobOut

P = ParamSpec("P")
T = TypeVar("T")
PIECE = 1 << 20
"""Bytes of a file that are sent at a time."""


def _awaited(make: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncClient", P], Awaitable[T]]:
    """A method that sends the call and reads its answer."""

    @wraps(make)
    async def method(client: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.send(make(*args, **kwargs))

    return method


class AsyncClient:
    """As `Client`, awaited."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60, patience: float = 30
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=headers(key), timeout=timeout)
        self._timeout, self._patience = timeout, patience

    search = _awaited(operations.search)
    collections = _awaited(operations.collections)
    create_collection = _awaited(operations.create_collection)
    collection = _awaited(operations.collection)
    delete_collection = _awaited(operations.delete_collection)
    fields = _awaited(operations.fields)
    upload = _awaited(operations.upload)
    upload_texts = _awaited(operations.upload_texts)
    put = _awaited(operations.put)
    assets = _awaited(operations.assets)
    asset = _awaited(operations.asset)
    delete_asset = _awaited(operations.delete_asset)
    forget = _awaited(operations.forget)
    points = _awaited(operations.points)
    count = _awaited(operations.count)
    delete_points = _awaited(operations.delete_points)
    point = _awaited(operations.point)
    patch = _awaited(operations.patch)
    thumbnail = _awaited(operations.thumbnail)
    download_original = _awaited(operations.download_original)
    submit_job = _awaited(operations.submit_job)
    plan_job = _awaited(operations.plan_job)
    jobs = _awaited(operations.jobs)
    job = _awaited(operations.job)
    cancel_job = _awaited(operations.cancel_job)
    failures = _awaited(operations.failures)
    embed = _awaited(operations.embed)
    encoder = _awaited(operations.encoder)
    models = _awaited(operations.models)
    rerank = _awaited(operations.rerank)
    chat = _awaited(operations.chat)
    classify = _awaited(operations.classify)
    caption = _awaited(operations.caption)
    segment = _awaited(operations.segment)
    index = _awaited(upkeep.index)
    aliases = _awaited(upkeep.aliases)
    alias = _awaited(upkeep.alias)
    set_alias = _awaited(upkeep.set_alias)
    delete_alias = _awaited(upkeep.delete_alias)
    backfill = _awaited(upkeep.backfill)
    build = _awaited(upkeep.build)
    calibrate = _awaited(upkeep.calibrate)
    compact = _awaited(upkeep.compact)
    verify = _awaited(upkeep.verify)
    migrate = _awaited(upkeep.migrate)
    create_snapshot = _awaited(upkeep.create_snapshot)
    snapshots = _awaited(upkeep.snapshots)
    download_snapshot = _awaited(upkeep.download_snapshot)
    upload_snapshot = _awaited(upkeep.upload_snapshot)
    delete_snapshot = _awaited(upkeep.delete_snapshot)
    restore = _awaited(upkeep.restore)
    create_export = _awaited(upkeep.create_export)
    upload_export = _awaited(upkeep.upload_export)
    exports = _awaited(upkeep.exports)
    export = _awaited(upkeep.export)
    download_export = _awaited(upkeep.download_export)
    delete_export = _awaited(upkeep.delete_export)
    import_export = _awaited(upkeep.import_export)
    alive = _awaited(upkeep.alive)
    ready = _awaited(upkeep.ready)
    status = _awaited(upkeep.status)
    metrics = _awaited(upkeep.metrics)

    async def watch(self, job: int) -> AsyncIterator[JobOut]:
        """See `Client.watch`."""
        retries = Retries(self._patience)
        while True:
            try:
                async with self._http.stream("GET", events(job)) as answer:
                    if answer.is_success:
                        async for line in answer.aiter_lines():
                            if (state := told(line)) is None:
                                continue
                            yield state
                            if state.is_over:
                                return
                            retries = Retries(self._patience)
                        raise broken_off()
                    await answer.aread()
            except httpx.TransportError as error:
                await asyncio.sleep(retries.after(error))
            else:
                await asyncio.sleep(retries.after(answer))

    async def send(self, call: Call[T]) -> T:
        """See `Client.send`."""
        retries = Retries(self._patience, once=call.once)
        while True:
            try:
                async with AsyncExitStack() as stack:
                    arguments = call.arguments(stack, self._timeout)
                    if "content" in arguments:
                        arguments["content"] = _pieces(arguments["content"])
                    answer = await stack.enter_async_context(
                        self._http.stream(call.method, call.url, **arguments)
                    )
                    if not answer.is_success or call.target is None:
                        await answer.aread()
                    else:
                        file = stack.enter_context(whole(call.target))
                        async for piece in answer.aiter_bytes():
                            file.write(piece)
            except httpx.TransportError as error:
                await asyncio.sleep(retries.after(error))
                continue
            if answer.is_success:
                return call.read(answer)
            await asyncio.sleep(retries.after(answer))

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


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
