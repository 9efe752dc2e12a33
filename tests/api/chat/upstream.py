"""A small OpenAI-compatible server to stand behind the proxy engine, with faults on request."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

WORDS = ["It ", "is ", "a ", "panda", "."]


@dataclass
class Upstream:
    """`asked` are the bodies it got; `fault` is what it does instead of answering in `words`."""

    url: str = ""
    fault: str = ""
    words: list[str] = field(default_factory=lambda: [*WORDS])
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)


@contextmanager
def upstream() -> Iterator[Upstream]:
    """Serves until the context ends."""
    state = Upstream()
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        state.keys.append(request.headers.get("authorization"))
        body = await request.json()
        state.asked.append(body)
        if state.fault == "busy":
            return JSONResponse({}, 429, {"Retry-After": "7"})
        if state.fault == "refuses":
            return JSONResponse({"error": {"message": "context length exceeded"}}, 400)
        if state.fault == "fails":
            return Response("Traceback: secret", 500)
        if state.fault == "nonsense":
            return Response("<html>", 200)
        if body["stream"]:
            return StreamingResponse(_events(state), media_type="text/event-stream")
        if state.fault == "dies":
            return StreamingResponse(_half(), media_type="application/json")
        message = {"role": "assistant", "content": "".join(state.words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        return JSONResponse({**_head("chat.completion"), "choices": [choice], "usage": usage})

    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the upstream did not start"
        time.sleep(0.005)
    state.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    yield state
    server.should_exit = True
    thread.join(timeout=10)


async def _half() -> AsyncIterator[str]:
    yield '{"id": "chatcmpl-1", "choices": ['
    raise ConnectionError("the upstream dies here")


async def _events(state: Upstream) -> AsyncIterator[str]:
    try:
        for number, word in enumerate(state.words):
            if state.fault == "dies" and number == 2:
                raise ConnectionError("the upstream dies here")
            if state.fault == "lingers" and number == 2:
                await asyncio.sleep(30)
            if state.fault == "ends early" and number == 2:
                return
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            chunk = {**_head("chat.completion.chunk"), "choices": [choice]}
            yield f"data: {json.dumps(chunk)}\n\n"
        yield "data: [DONE]\n\n"
    except asyncio.CancelledError:
        state.cancelled.set()
        raise


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "up"}
