"""Chat through another OpenAI-compatible server, such as LMDeploy or vLLM."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from api.chat.said import Resolved, SaidPart
from api.chat.schemas import ChatRequest, Chunk
from api.problems import Refusal

OURS = {"collection", "hits", "points", "messages", "model", "stream"}
ATTEMPTS = 3
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
"""Longest wait for the next byte: a large model may read a long prompt for a while."""


class ProxyChat:
    """Passes chats on to `url`, the part of the address before `/chat/completions`."""

    def __init__(self, url: str, model: str | None, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout, trust_env=False)
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model

    @property
    def model(self) -> str:
        return self._model or "proxied"

    def takes(self, model: str | None) -> bool:
        """Any, where the settings name none: the upstream knows its own."""
        return self._model is None or model in (None, self._model)

    async def complete(self, request: ChatRequest, resolved: Resolved) -> Chunk:
        """The upstream's answer. Raises `Refusal` where it is away or refuses."""
        async with self._answer(self._body(request, resolved, stream=False)) as response:
            content = await _read(response)
        try:
            answer = json.loads(content)
            if not isinstance(answer["choices"], list):
                raise TypeError("choices is not a list")
        except (ValueError, KeyError, TypeError) as error:
            raise _broken(f"answered with something other than a completion ({error})") from error
        return dict(answer)

    async def stream(self, request: ChatRequest, resolved: Resolved) -> AsyncGenerator[Chunk]:
        """The upstream's chunks as they come. Raises `Refusal`, also in the middle."""
        async with self._answer(self._body(request, resolved, stream=True)) as response:
            try:
                async for line in response.aiter_lines():
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:"):
                        continue
                    if data == "[DONE]":
                        return
                    yield dict(json.loads(data))
            except httpx.HTTPError as error:
                raise _broken("broke off in the middle of its answer") from error
            except (ValueError, TypeError) as error:
                raise _broken(
                    f"sent something other than chunks of a completion ({error})"
                ) from error
        raise _broken("ended its answer without [DONE]")

    async def close(self) -> None:
        """See `ChatEngine.close`."""
        await self._client.aclose()

    def _body(self, request: ChatRequest, resolved: Resolved, *, stream: bool) -> dict[str, Any]:
        passed = request.model_dump(mode="json", exclude_unset=True, exclude=OURS)
        messages = [
            {"role": said.role, "content": [_part(part) for part in said.parts]}
            for said in resolved.messages
        ]
        model = self._model or request.model
        return {
            **passed,
            "messages": messages,
            "stream": stream,
            **({"model": model} if model else {}),
        }

    @asynccontextmanager
    async def _answer(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """The upstream's answer once it began and is a success."""
        response = await self._send(body)
        try:
            if response.status_code != 200:
                raise await _refused(response)
            yield response
        finally:
            await response.aclose()

    async def _send(self, body: dict[str, Any]) -> httpx.Response:
        """Tries again only while nothing can have been computed yet."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                asked = self._client.build_request("POST", self._url, json=body)
                return await self._client.send(asked, stream=True)
            except httpx.ConnectError as error:
                if attempt == ATTEMPTS:
                    raise _away("cannot be reached") from error
            except httpx.TimeoutException as error:
                raise _away("does not answer") from error
            except httpx.HTTPError as error:
                raise _broken("broke off before it answered") from error
            await asyncio.sleep(0.2 * 2**attempt * random.random())  # noqa: S311 - jitter
        raise AssertionError("unreachable")


def _part(part: SaidPart) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    detail = "auto" if part.detail else "low"
    return {"type": "image_url", "image_url": {"url": part.data_uri(), "detail": detail}}


async def _read(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    except httpx.HTTPError as error:
        raise _broken("broke off in the middle of its answer") from error


async def _refused(response: httpx.Response) -> Refusal:
    """The upstream's own reason, where it is about the request; nothing else is passed on."""
    status = response.status_code
    if status in (429, 503):
        wait = {"Retry-After": response.headers.get("retry-after", "1")}
        return Refusal(status, "chat-busy", "the chat server is busy: try again shortly", wait)
    if status not in (400, 404, 413, 422):
        return _broken(f"answered with status {status}")
    try:
        said = json.loads(await _read(response))["error"]["message"]
    except (ValueError, KeyError, TypeError):
        said = f"status {status}"
    return Refusal(400, "chat-refused", f"the chat server refused the request: {str(said)[:500]}")


def _away(what: str) -> Refusal:
    return Refusal(
        503, "chat-away", f"the chat server {what}: try again later", {"Retry-After": "5"}
    )


def _broken(what: str) -> Refusal:
    return Refusal(502, "chat-failed", f"the chat server {what}")
