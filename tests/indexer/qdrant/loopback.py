"""A small server that speaks the part of Qdrant's REST interface that we use, and can misbehave.

Behind it is qdrant-client's own engine, or Qdrant's (`edge.py`). Requests and answers go through
the client's models, so what the real client sends is checked on the way.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient, models
from qdrant_client.http.models import QueryResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

Fault = Literal["none", "429", "500", "401", "400", "reset", "lost answer", "half", "slow"]
"""What happens to one request. `lost answer` is carried out, `half` (of an upsert) in part."""

SLOW_SECONDS = 1.5

Call = Callable[[QdrantClient, str, Any], Any]
"""Client, name of the collection (and of the vector), body of the request -> result."""


Json = Any
"""What has no type before it is looked at."""


class InMemory(QdrantClient):
    """qdrant-client's own engine, which warns of what it does not heed."""

    def __init__(self) -> None:
        super().__init__(":memory:")

    def create_payload_index(
        self, collection_name: str, *_: Json, **__: Json
    ) -> models.UpdateResult:
        """There are no indexes."""
        self.get_collection(collection_name)
        return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest], *_: Json, **__: Json
    ) -> list[QueryResponse]:
        """Every point is looked at."""
        plain = [request.model_copy(update={"params": None}) for request in requests]
        return super().query_batch_points(collection_name, plain)


@dataclass
class Loopback:
    """The next requests meet `faults`, one each, the others `always`; `seen` is what was asked.

    `bodies` has the latest body of each route, e.g. of `PUT /collections/{name}`.
    """

    client: InMemory = field(default_factory=InMemory)
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault = "none"
    seen: list[str] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)
    running: int = 0
    url: str = ""

    def reset(self) -> None:
        """As it was when it started, once all is done that somebody gave up waiting for."""
        while self.running:
            time.sleep(0.01)
        self.faults.clear()
        self.always = "none"
        for collection in self.client.get_collections().collections:
            self.client.delete_collection(collection.name)
        self.seen.clear()


@contextmanager
def loopback(client: InMemory | None = None) -> Iterator[Loopback]:
    """Serve on a free port until the context ends."""
    served = Loopback(client or InMemory())
    config = uvicorn.Config(
        Faults(application(served), served), port=0, log_level="critical", ws="none", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield served
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive(), "the server did not stop"


class Faults:
    """Lets each request meet the fault whose turn it is."""

    def __init__(self, app: ASGIApp, served: Loopback) -> None:
        self.app = app
        self.served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        faults = self.served.faults
        fault = faults.popleft() if faults else self.served.always
        scope["state"] = {"fault": fault}
        self.served.seen.append(f"{scope['method']} {scope['path']}")
        self.served.running += 1
        try:
            await self._meet(fault, scope, receive, send)
        finally:
            self.served.running -= 1

    async def _meet(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault in {"none", "half", "slow"}:
            await self.app(scope, receive, send)
        elif fault.isdigit():
            await Response("injected", int(fault), {"retry-after": "1"})(scope, receive, send)
        else:
            if fault == "lost answer":
                await self.app(scope, receive, _nobody)
            # An answer that is never finished: the connection is cut.
            headers = [(b"content-length", b"100")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _nobody(_: Any) -> None:  # noqa: ANN401
    """Hears an answer and says nothing."""


def application(served: Loopback) -> Starlette:
    """Answers each of `ROUTES` by a call of the engine's, one at a time."""
    lock = threading.Lock()

    def route(method: str, path: str, body: Any, call: Call) -> Route:  # noqa: ANN401
        adapter = TypeAdapter(body)

        async def endpoint(request: Request) -> Response:
            asked = adapter.validate_json(await request.body() or b"null")
            served.bodies[f"{method} {path}"] = asked
            name = "/".join(request.path_params.values())
            return await run_in_threadpool(answer, request.state.fault, name, asked)

        def answer(fault: Fault, name: str, asked: Any) -> Response:  # noqa: ANN401
            if fault == "slow":
                time.sleep(SLOW_SECONDS)
            if fault == "half":
                asked = models.PointsList(points=asked.points[: (len(asked.points) + 1) // 2])
            try:
                with lock:
                    result = call(served.client, name, asked)
            except ValueError as error:
                return JSONResponse({"status": {"error": str(error)}}, _status(error))
            if fault == "half":
                return Response("injected", 500)
            return JSONResponse({"result": to_jsonable_python(result), "status": "ok", "time": 0.0})

        return Route(path, endpoint, methods=[method])

    return Starlette(routes=[route(*parts) for parts in ROUTES])


def _status(error: ValueError) -> int:
    text = str(error)
    return 404 if "not found" in text else 409 if "already exists" in text else 400


def _create(client: QdrantClient, name: str, body: models.CreateCollection) -> bool:
    vectors = body.vectors
    return client.create_collection(name, vectors_config=vectors, metadata=body.metadata)


def _index(client: QdrantClient, name: str, body: models.CreateFieldIndex) -> models.UpdateResult:
    return client.create_payload_index(name, body.field_name, body.field_schema)


def _retrieve(client: QdrantClient, name: str, body: models.PointRequest) -> list[models.Record]:
    payload, vectors = bool(body.with_payload), body.with_vector or False
    return client.retrieve(name, body.ids, with_payload=payload, with_vectors=vectors)


def _scroll(client: QdrantClient, name: str, body: models.ScrollRequest) -> models.ScrollResult:
    found, after = client.scroll(
        name,
        body.filter,
        body.limit or 10,
        offset=body.offset,
        with_payload=bool(body.with_payload),
        with_vectors=body.with_vector or False,
    )
    return models.ScrollResult(points=found, next_page_offset=after)


def _update(client: QdrantClient, name: str, body: models.UpdateCollection) -> bool:
    return client.update_collection(name, metadata=body.metadata)


def _add_vector(
    client: QdrantClient, path: str, body: models.DenseVectorNameConfig
) -> models.UpdateResult:
    name, vector = path.split("/")
    return client.create_vector_name(name, vector, body)


def _set_vectors(
    client: QdrantClient, name: str, body: models.UpdateVectors
) -> models.UpdateResult:
    return client.update_vectors(name, body.points)


def _set_aliases(client: QdrantClient, _: str, body: models.ChangeAliasesOperation) -> bool:
    return client.update_collection_aliases(body.actions)


POINTS = "/collections/{name}/points"
ROUTES: list[tuple[str, str, Any, Call]] = [
    ("GET", "/collections", None, lambda client, _, __: client.get_collections()),
    ("GET", "/collections/{name}", None, lambda client, name, _: client.get_collection(name)),
    ("PUT", "/collections/{name}", models.CreateCollection, _create),
    ("DELETE", "/collections/{name}", None, lambda client, name, _: client.delete_collection(name)),
    (
        "GET",
        "/collections/{name}/exists",
        None,
        lambda client, name, _: {"exists": client.collection_exists(name)},
    ),
    ("PUT", "/collections/{name}/index", models.CreateFieldIndex, _index),
    ("PATCH", "/collections/{name}", models.UpdateCollection, _update),
    (
        "PUT",
        "/collections/{name}/vectors/{vector}",
        models.DenseVectorNameConfig,
        _add_vector,
    ),
    ("GET", "/aliases", None, lambda client, _, __: client.get_aliases()),
    ("POST", "/collections/aliases", models.ChangeAliasesOperation, _set_aliases),
    ("PUT", f"{POINTS}/vectors", models.UpdateVectors, _set_vectors),
    (
        "PUT",
        POINTS,
        models.PointsList,
        lambda client, name, body: client.upsert(name, body.points),
    ),
    ("POST", POINTS, models.PointRequest, _retrieve),
    ("POST", f"{POINTS}/scroll", models.ScrollRequest, _scroll),
    (
        "POST",
        f"{POINTS}/count",
        models.CountRequest,
        lambda client, name, body: client.count(name, body.filter, exact=True),
    ),
    (
        "POST",
        f"{POINTS}/query/batch",
        models.QueryRequestBatch,
        lambda client, name, body: client.query_batch_points(name, body.searches),
    ),
    (
        "POST",
        f"{POINTS}/delete",
        models.PointsSelector,
        lambda client, name, body: client.delete(name, body),
    ),
    (
        "POST",
        f"{POINTS}/payload",
        models.SetPayload,
        lambda client, name, body: client.set_payload(name, body.payload, body.points),
    ),
    (
        "PUT",
        f"{POINTS}/payload",
        models.SetPayload,
        lambda client, name, body: client.overwrite_payload(name, body.payload, body.points),
    ),
    (
        "POST",
        f"{POINTS}/payload/delete",
        models.DeletePayload,
        lambda client, name, body: client.delete_payload(name, body.keys, body.points),
    ),
]
