"""The client that blocks."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from api.client import operations, upkeep
from api.client.call import Call, headers, whole
from api.client.events import broken_off, events, told
from api.client.retries import Retries
from api.schemas.jobs import JobOut

P = ParamSpec("P")
T = TypeVar("T")


def _sent(make: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    """A method that sends the call and reads its answer."""

    @wraps(make)
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.send(make(*args, **kwargs))

    return method


class Client:
    """Blocking; `timeout` and `patience` are in seconds. Close it, or use it as a context."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout: float = 60, patience: float = 30
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=headers(key), timeout=timeout)
        self._timeout, self._patience = timeout, patience

    search = _sent(operations.search)
    collections = _sent(operations.collections)
    create_collection = _sent(operations.create_collection)
    collection = _sent(operations.collection)
    delete_collection = _sent(operations.delete_collection)
    fields = _sent(operations.fields)
    upload = _sent(operations.upload)
    upload_texts = _sent(operations.upload_texts)
    put = _sent(operations.put)
    assets = _sent(operations.assets)
    asset = _sent(operations.asset)
    delete_asset = _sent(operations.delete_asset)
    forget = _sent(operations.forget)
    points = _sent(operations.points)
    count = _sent(operations.count)
    delete_points = _sent(operations.delete_points)
    point = _sent(operations.point)
    patch = _sent(operations.patch)
    thumbnail = _sent(operations.thumbnail)
    download_original = _sent(operations.download_original)
    submit_job = _sent(operations.submit_job)
    plan_job = _sent(operations.plan_job)
    jobs = _sent(operations.jobs)
    job = _sent(operations.job)
    cancel_job = _sent(operations.cancel_job)
    failures = _sent(operations.failures)
    embed = _sent(operations.embed)
    encoder = _sent(operations.encoder)
    models = _sent(operations.models)
    rerank = _sent(operations.rerank)
    chat = _sent(operations.chat)
    classify = _sent(operations.classify)
    caption = _sent(operations.caption)
    segment = _sent(operations.segment)
    index = _sent(upkeep.index)
    aliases = _sent(upkeep.aliases)
    alias = _sent(upkeep.alias)
    set_alias = _sent(upkeep.set_alias)
    delete_alias = _sent(upkeep.delete_alias)
    backfill = _sent(upkeep.backfill)
    build = _sent(upkeep.build)
    calibrate = _sent(upkeep.calibrate)
    compact = _sent(upkeep.compact)
    verify = _sent(upkeep.verify)
    migrate = _sent(upkeep.migrate)
    create_snapshot = _sent(upkeep.create_snapshot)
    snapshots = _sent(upkeep.snapshots)
    download_snapshot = _sent(upkeep.download_snapshot)
    upload_snapshot = _sent(upkeep.upload_snapshot)
    delete_snapshot = _sent(upkeep.delete_snapshot)
    restore = _sent(upkeep.restore)
    create_export = _sent(upkeep.create_export)
    upload_export = _sent(upkeep.upload_export)
    exports = _sent(upkeep.exports)
    export = _sent(upkeep.export)
    download_export = _sent(upkeep.download_export)
    delete_export = _sent(upkeep.delete_export)
    import_export = _sent(upkeep.import_export)
    alive = _sent(upkeep.alive)
    ready = _sent(upkeep.ready)
    status = _sent(upkeep.status)
    metrics = _sent(upkeep.metrics)

    def watch(self, job: int) -> Iterator[JobOut]:
        """The job as it gets on, to its end."""
        retries = Retries(self._patience)
        while True:
            try:
                with self._http.stream("GET", events(job)) as answer:
                    if answer.is_success:
                        for state in filter(None, map(told, answer.iter_lines())):
                            yield state
                            if state.is_over:
                                return
                            retries = Retries(self._patience)
                        raise broken_off()
                    answer.read()
            except httpx.TransportError as error:
                time.sleep(retries.after(error))
            else:
                time.sleep(retries.after(answer))

    def send(self, call: Call[T]) -> T:
        """Make a request until it is answered. Raises `ServiceError`, and `OSError` of files."""
        retries = Retries(self._patience, once=call.once)
        while True:
            try:
                with ExitStack() as stack:
                    arguments = call.arguments(stack, self._timeout)
                    answer = stack.enter_context(
                        self._http.stream(call.method, call.url, **arguments)
                    )
                    if not answer.is_success or call.target is None:
                        answer.read()
                    else:
                        file = stack.enter_context(whole(call.target))
                        for piece in answer.iter_bytes():
                            file.write(piece)
            except httpx.TransportError as error:
                time.sleep(retries.after(error))
                continue
            if answer.is_success:
                return call.read(answer)
            time.sleep(retries.after(answer))

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
