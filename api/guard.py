"""The outermost layer: request ids, who may call, body limit, security headers, last resort."""

import re
import uuid

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Refusal, refused, unexpected
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
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Guard:
    """ASGI middleware around the whole service."""

    def __init__(self, app: ASGIApp, policy: Policy, max_body_bytes: int) -> None:
        self._app = app
        self._policy = policy
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._guard(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # none is offered here

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        request.state.request_id = _request_id(request)
        request.state.body = Body(receive, self._max_body_bytes)
        answer = Answering(send, request.state.request_id)
        try:
            request.state.caller = self._policy.check(request)
            await self._app(scope, request.state.body, answer)
        except ClientDisconnect:
            return
        except Refusal as error:
            await refused(request, error)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last resort
            response = unexpected(request, error)
            if not answer.started:
                await response(scope, receive, answer)


class Body:
    """The request's body as it arrives, cut off with a 413 beyond `limit` bytes."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.limit: float = limit
        self._receive = receive
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self.limit:
            raise Refusal(413, "too-large", f"the request is larger than {self.limit:,.0f} bytes")
        return message


class Answering:
    """Sends an answer with the headers that every answer has; remembers whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.started = False
        self._send = send
        self._request_id = request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._request_id
            headers.setdefault("Cache-Control", "no-store")
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
