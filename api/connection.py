"""A client connection with limits on the time and size of request headers."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.connection_limit import ConnectionLimit
from api.security import SIGN_IN

HEAD_SECONDS = 10.0
"""Within which a head must be here, from the opening of the connection or its own first byte."""
HEAD_BYTES = 128 << 10
URL_BYTES = (64 << 10) - 1  # the parser takes no more


class Connection(HttpToolsProtocol):
    """uvicorn's, which bounds neither; once the head is here, the guard bounds the rest."""

    url = b""
    _deadline: asyncio.TimerHandle | None = None
    _seen = 0

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's
        limit: ConnectionLimit,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self._limit = limit

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()
        self._limit.opened(self)

    def dismiss(self) -> None:
        """See `Connected`."""
        self._refuse(503, "too-many-connections", "too many are connected: try again")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is None or self.transport.is_closing():
            return
        self._seen += len(data)
        if self._seen > HEAD_BYTES:
            self.send_400_response("its head has no end")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it is in the log already
        """uvicorn's answer to what is no request."""
        if len(self.url) > URL_BYTES:
            self._refuse(414, "url-too-long", f"a URL may have {URL_BYTES:,} bytes")
        elif self._seen > HEAD_BYTES:
            self._refuse(431, "head-too-large", f"the head may have {HEAD_BYTES:,} bytes")
        else:
            self._refuse(400, "malformed-request", "this cannot be read as an HTTP request")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()
        if self.scope["path"] != SIGN_IN:  # whose body everybody may send, or begin to
            self._limit.works(self)

    def on_message_complete(self) -> None:
        if not self.cycle.response_complete:  # else it was refused, and its body came all the same
            self._limit.works(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # else the next one is at work already
            self._limit.rests(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._limit.closed(self)
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._stop_waiting()
        self._seen = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, name: str, detail: str) -> None:
        """Close, and say why unless an answer is under way; there is no request to have an id."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_problem(status, name, detail))
        self.transport.close()


def _problem(status: int, name: str, detail: str) -> bytes:
    """A whole answer."""
    title = HTTPStatus(status).phrase
    problem = {"type": f"urn:polylens:{name}", "title": title, "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
