"""The outermost layer: request ids, access checks, body limit, security headers, last resort."""

import asyncio
import random
import re
import time
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import access
from api.metrics import Metrics
from api.patience import PATIENCE, Patience
from api.problems import CLOSE, Refusal, answer_to, refused
from api.security import Policy

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
SILENCE_SECONDS = 30.0
"""Longest wait for more of a file."""
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Guard:
    """ASGI middleware around the whole service."""

    def __init__(
        self,
        app: ASGIApp,
        policy: Policy,
        metrics: Metrics,
        max_body_bytes: int,
        request_timeout: float,
    ) -> None:
        self._app = app
        self._policy = policy
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._request_timeout = request_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._watch(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # none is offered here

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard a request, then count and log it."""
        begun = time.perf_counter()
        method = scope["method"]
        request = Request({**scope, "method": "GET"} if method == "HEAD" else scope)
        request.state.request_id = _request_id(request)
        request.state.caller = None
        answer = Answering(send, request.state.request_id, head_only=method == "HEAD")
        try:
            await self._guard(request, receive, answer)
        finally:
            self._tell(request, method, answer.status, time.perf_counter() - begun)

    async def _guard(self, request: Request, receive: Receive, answer: "Answering") -> None:
        scope, patience = request.scope, Patience.of(self._request_timeout)
        request.state.body = body = Body(
            receive, self._max_body_bytes, patience, _declared(request)
        )
        token = PATIENCE.set(patience)
        try:
            request.state.caller = self._policy.check(request)
            await body.begin(empty=_has_no_body(request))
            await self._app(scope, body, answer)
        except ClientDisconnect:
            return
        except Refusal as error:
            await refused(request, error)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last resort
            response = answer_to(request, error)
            if not answer.started:
                await response(scope, receive, answer)
        finally:
            PATIENCE.reset(token)
            await body.close()

    def _tell(self, request: Request, method: str, status: int, seconds: float) -> None:
        route = getattr(request.scope.get("route"), "path", "none")
        self._metrics.answered(method, route, status, seconds)
        caller = request.state.caller
        fields = {
            "request_id": request.state.request_id,
            "method": method,
            "path": request.url.path,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "key": caller.name if caller else None,
        }
        access.info(
            "%s %s %d %.1f ms",
            *(fields[n] for n in ("method", "path", "status", "ms")),
            extra={"fields": fields},
        )


class Body:
    """The request's body as it arrives, cut off with a 413 beyond `limit` bytes.

    Where that many are `declared` (0: it is not said), nothing of it is asked for. One that does
    not come while `patience` lasts is given up with a 408. Once it is here, the client is watched:
    when it leaves, `patience` is told.
    """

    def __init__(self, receive: Receive, limit: int, patience: Patience, declared: int = 0) -> None:
        self.declared = declared
        self._limit = limit
        self._silence: float | None = None
        self._receive = receive
        self._patience = patience
        self._seen = 0
        self._last: Message | None = None
        self._leaving: asyncio.Task[Message] | None = None

    def take_file(self, limit: int) -> None:
        """It may be larger, and may take long, as long as something comes."""
        self._limit, self._silence = limit, SILENCE_SECONDS

    async def begin(self, *, empty: bool) -> None:
        """Where there is no body, nobody may ever ask for it: the watch begins now."""
        if empty:
            self._last = await self()

    async def __call__(self) -> Message:
        if self._last is not None:
            message, self._last = self._last, None
            return message
        if self._leaving is not None:
            return await asyncio.shield(self._leaving)
        self._check(self.declared)
        message = await self._next()
        self._seen += len(message.get("body", b""))
        self._check(self._seen)
        if not message.get("more_body", False):
            self._leaving = asyncio.create_task(self._watch())
        return message

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise Refusal(
                413, "too-large", f"the request is larger than {self._limit:,} bytes", CLOSE
            )

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._silence or self._patience.left):
                return await self._receive()
        except TimeoutError:
            raise Refusal(408, "too-slow", "the body did not arrive in time", CLOSE) from None

    async def close(self) -> None:
        """Stop watching."""
        if self._leaving is not None:
            self._leaving.cancel()
            with suppress(asyncio.CancelledError):
                await self._leaving

    async def _watch(self) -> Message:
        message = await self._receive()
        self._patience.gone.set()
        return message


class Answering:
    """Sends an answer with the headers that every answer has; remembers whether it has begun.

    Where `head_only` is asked for, whoever makes the rest is told that nobody is there for it.
    """

    def __init__(self, send: Send, request_id: str, *, head_only: bool = False) -> None:
        self._head_only = head_only
        self.started = False
        self.status = 499
        """Of the answer; 499, as nginx has it, while there is none."""
        self._send = send
        self._request_id = request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers.setdefault("Cache-Control", "no-store")
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        elif self._head_only:
            await self._send({"type": "http.response.body"})
            raise ClientDisconnect
        await self._send(message)


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"


def _has_no_body(request: Request) -> bool:
    return not {"content-length", "transfer-encoding"} & set(request.headers)


def _declared(request: Request) -> int:
    """Bytes that the body is said to have, 0 where that is left open."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0
