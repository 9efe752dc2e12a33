"""From a request to what is said and shown, with the hits of a collection where one is named."""

from collections.abc import Iterator
from uuid import UUID

from api.chat.pictures import Pictures
from api.chat.said import Resolved, Said, SaidPart, Shown
from api.chat.schemas import (
    MAX_PICTURES,
    ChatMessage,
    ChatRequest,
    Citation,
    ContentPart,
    ImagePart,
    TextPart,
)
from api.problems import Refusal
from api.service import Service
from retrieval import Found, Part, Query
from retrieval.query import MAX_TEXT

INSTRUCTION = (
    "Below are numbered pictures and texts found for the question, best first. Answer from what "
    "they show and say, name those you rely on as [number], and say so if none of them answers."
)
QUOTED = 4_000
"""Characters of one text that are given to the model."""


def resolve(service: Service, request: ChatRequest) -> Resolved:
    """Decode and find everything that the request names; blocking.

    Raises `Refusal`, `MediaError`, `InvalidQuery`, `UnknownCollection`.
    """
    pictures = Pictures(service)
    _check_count(request)
    messages = [_said(pictures, message) for message in request.messages]
    if request.collection is None:
        return Resolved(messages)
    citations = _named(service, request) if request.points else _searched(service, request)
    shown = list(_shown(service, request.collection, citations))
    last = messages[-1]
    messages[-1] = Said(last.role, [*shown, *last.parts])
    return Resolved(messages, citations)


def _check_count(request: ChatRequest) -> None:
    count = len(request.points) or (request.hits if request.collection is not None else 0)
    for message in request.messages:
        for part in message.content if isinstance(message.content, list) else ():
            if not isinstance(part, TextPart):
                count += 1 if isinstance(part, ImagePart) else part.video_url.frames
    if count > MAX_PICTURES:
        raise Refusal(
            400,
            "too-many-pictures",
            f"{count} pictures (frames of videos and hits included), but one request may show "
            f"{MAX_PICTURES}",
        )


def _said(pictures: Pictures, message: ChatMessage) -> Said:
    role = "system" if message.role == "developer" else message.role
    if isinstance(message.content, str):
        return Said(role, [message.content])
    return Said(role, [part for found in message.content for part in _parts(pictures, found)])


def _parts(pictures: Pictures, part: ContentPart) -> Iterator[SaidPart]:
    if isinstance(part, TextPart):
        yield part.text
    elif isinstance(part, ImagePart):
        yield pictures.image(part.image_url)
    else:
        for number, frame in enumerate(pictures.frames(part.video_url), 1):
            yield f"Frame-{number}: "
            yield frame


def _named(service: Service, request: ChatRequest) -> list[Citation]:
    """The points that the request names, in its order."""
    assert request.collection is not None  # noqa: S101 - the request was checked
    records = service.open(request.collection).get(request.points)
    return [
        Citation(
            number=number,
            id=str(record.id),
            asset=record.asset,
            start=record.payload.get("start"),
            end=record.payload.get("end"),
        )
        for number, record in enumerate(records, 1)
    ]


def _searched(service: Service, request: ChatRequest) -> list[Citation]:
    """What is found for the question."""
    return [_citation(number, hit) for number, hit in enumerate(_found(service, request), 1)]


def _found(service: Service, request: ChatRequest) -> list[Found]:
    assert request.collection is not None  # noqa: S101 - the caller saw to it
    last = request.messages[-1]
    texts = [last.content] if isinstance(last.content, str) else []
    if isinstance(last.content, list):
        texts = [part.text for part in last.content if isinstance(part, TextPart)]
    question = " ".join(texts).strip()[:MAX_TEXT]
    if not question:
        raise Refusal(
            400, "no-question", "the last message has no text to search the collection for"
        )
    query = Query([Part(text=question)], limit=request.hits)
    return service.installation.searcher(request.collection).search(query).hits


def _citation(number: int, found: Found) -> Citation:
    best = found.moments[0] if found.moments else None
    return Citation(
        number=number,
        id=str(best.id if best else found.id),
        asset=found.asset,
        score=found.score,
        start=best.start if best else None,
        end=best.end if best else None,
    )


def _shown(service: Service, collection: str, citations: list[Citation]) -> Iterator[SaidPart]:
    """The instruction, then each hit under its number; those that are gone are said to be."""
    if not citations:
        yield "Nothing was found for the question in the collection.\n"
        return
    yield f"{INSTRUCTION}\n"
    records = service.open(collection).get([UUID(citation.id) for citation in citations])
    known = {str(record.id): record for record in records}
    for citation in citations:
        record = known.get(citation.id)
        if record and record.payload.get("kind") == "text":
            yield f"[{citation.number}] {record.payload.get('text', '')!s:.{QUOTED}}\n"
            continue
        name = str(record.payload.get("name", "")) if record else ""
        yield f"[{citation.number}] {name}\n"
        try:
            if record:
                yield Shown(service.stored.picture(record), detail=len(citations) <= 2)
        except Refusal as error:
            yield f"({error.detail})\n"
