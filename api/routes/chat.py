"""`/v1/chat/completions` and `/v1/models`, in OpenAI's shape."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response, StreamingResponse

from api.chat.engine import ChatEngine
from api.chat.resolve import resolve
from api.chat.said import Resolved
from api.chat.schemas import ChatRequest, Chunk, ModelInfo, ModelList
from api.heads import NotConfigured
from api.problems import Refusal, openai_error
from api.refusals import refusals
from api.service import Service, ServiceDep

router = APIRouter(prefix="/v1", tags=["chat"])


@router.get("/models")
async def list_models(service: ServiceDep) -> ModelList:
    """List the encoder and the chat model of this service."""
    encoder = service.installation.encoder_name
    models = [ModelInfo(id=encoder, kind="embedding")]
    if service.chat is not None:
        models.append(ModelInfo(id=service.chat.model, kind="chat"))
    return ModelList(data=models)


@router.post(
    "/chat/completions", response_class=JSONResponse, responses=refusals(404, 409, 410, 501, 502)
)
async def complete(request: ChatRequest, service: ServiceDep) -> Response:
    """Answer a question about pictures, stored points, or a collection.

    With `collection`, the question is searched first and the answer carries `citations`.
    """
    engine = _engine(service, request)
    resolved = await service.media(resolve, service, request)
    if request.stream:
        chunks = engine.stream(request, resolved)
        first = await anext(chunks, None)  # what fails before it is answered with its own status
        if first is None:
            raise Refusal(502, "chat-failed", "the chat server sent an empty answer")
        return StreamingResponse(_events(first, chunks, resolved), media_type="text/event-stream")
    answer = await engine.complete(request, resolved)
    return JSONResponse({**answer, **_citations(resolved)})


def _engine(service: Service, request: ChatRequest) -> ChatEngine:
    engine = service.chat
    if engine is None:
        raise NotConfigured.of("chat", "chat", "a server's URL, or an InternVL chat checkpoint")
    if not engine.takes(request.model):
        raise Refusal(
            404, "unknown-model", f"there is no model {request.model!r} here: use {engine.model!r}"
        )
    return engine


async def _events(
    first: Chunk, chunks: AsyncGenerator[Chunk], resolved: Resolved
) -> AsyncIterator[str]:
    """Server-sent events; an error in the middle is one too, for the status has been sent."""
    yield _event({**first, **_citations(resolved)})
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield _event(chunk)
        yield "data: [DONE]\n\n"
    except Exception as error:  # noqa: BLE001 - told as far as problems.py tells it
        yield _event(openai_error(error))


def _event(content: Chunk) -> str:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


def _citations(resolved: Resolved) -> Chunk:
    if not resolved.citations:
        return {}
    return {"citations": [c.model_dump(exclude_none=True) for c in resolved.citations]}
