"""Chat with a model of this process."""

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from api.chat.said import Resolved, SaidPart
from api.chat.schemas import ChatRequest, Chunk
from api.heads import Heads
from api.offload import Overloaded
from api.problems import Refusal

if TYPE_CHECKING:
    from encoders.heads.chat.local import Answering, LocalChat

DEFAULT_TOKENS = 512
WAITING = 16
"""Most chats that wait for the one being answered."""
CHANGING = ("n", "tools", "functions", "response_format", "logprobs", "logit_bias", "audio")
"""Fields that would change the answer, and that only a proxied server may know."""


class LocalChatEngine:
    """Answers one chat at a time with the checkpoint `name`, loaded when first asked."""

    def __init__(self, heads: Heads, name: str) -> None:
        self._heads = heads
        self._name = name
        self._turn = anyio.Semaphore(1)  # a stream may end in another task than it began in

    @property
    def model(self) -> str:
        return self._name

    def takes(self, model: str | None) -> bool:
        """See `ChatEngine.takes`."""
        return model in (None, self._name)

    async def complete(self, request: ChatRequest, resolved: Resolved) -> Chunk:
        """See `ChatEngine.complete`."""
        async with self._begun(request, resolved) as answering:
            pieces = [piece async for piece in _stepwise(answering)]
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(pieces)},
                "finish_reason": answering.finish,
            }
            return {
                **self._head("chat.completion"),
                "choices": [choice],
                "usage": _usage(answering),
            }

    async def stream(self, request: ChatRequest, resolved: Resolved) -> AsyncGenerator[Chunk]:
        """See `ChatEngine.stream`."""
        head = self._head("chat.completion.chunk")
        async with self._begun(request, resolved) as answering:
            yield {**head, "choices": [_delta({"role": "assistant", "content": ""})]}
            async for piece in _stepwise(answering):
                yield {**head, "choices": [_delta({"content": piece})]}
            yield {**head, "choices": [_delta({}, answering.finish)]}
            if request.stream_options and request.stream_options.include_usage:
                yield {**head, "choices": [], "usage": _usage(answering)}

    async def close(self) -> None:
        """See `ChatEngine.close`."""

    @asynccontextmanager
    async def _begun(self, request: ChatRequest, resolved: Resolved) -> "AsyncIterator[Answering]":
        _check_known(request)
        if self._turn.statistics().tasks_waiting >= WAITING:
            raise Overloaded("too many chats are waiting for the model: try again shortly")
        async with self._turn:
            with ExitStack() as stack:
                chat = await anyio.to_thread.run_sync(stack.enter_context, self._heads.chat())
                yield await anyio.to_thread.run_sync(self._begin, chat, request, resolved)

    def _begin(self, chat: "LocalChat", request: ChatRequest, resolved: Resolved) -> "Answering":
        from encoders.heads.chat.conversation import Conversation, Message
        from encoders.heads.chat.local import Sampling

        messages = [
            Message(said.role, [_part(part) for part in said.parts])  # type: ignore[arg-type]
            for said in resolved.messages
        ]
        sampling = Sampling(
            max_tokens=request.limit or DEFAULT_TOKENS,
            temperature=request.temperature or 0.0,
            top_p=request.top_p or 1.0,
            stop=request.stops,
            seed=request.seed,
        )
        return chat.answer(Conversation(messages), sampling)

    def _head(self, kind: str) -> Chunk:
        number = f"chatcmpl-{uuid.uuid4().hex}"
        return {"id": number, "object": kind, "created": int(time.time()), "model": self._name}


async def _stepwise(answering: "Answering") -> AsyncIterator[str]:
    """Each piece is computed in a thread; whoever stops reading stops the work."""
    pieces: Iterator[str] = iter(answering)
    while (piece := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


def _part(part: SaidPart) -> Any:  # noqa: ANN401 - of a module that is imported late
    from encoders.heads.chat.conversation import Picture

    return part if isinstance(part, str) else Picture(part.image, part.detail)


def _check_known(request: ChatRequest) -> None:
    extra = request.model_extra or {}
    for name in CHANGING:
        if extra.get(name) not in (None, False, [], {}, 1):
            raise Refusal(
                400, "unsupported", f"the local engine does not support {name!r}: leave it out"
            )


def _delta(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _usage(answering: "Answering") -> dict[str, int]:
    prompt, completion = answering.prompt_tokens, answering.completion_tokens
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
