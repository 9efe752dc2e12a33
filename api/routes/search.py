"""`/v1/collections/{name}/search`"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi import Query as QueryParam

from api.queries import FORM, JSON, read_search, to_answer, to_query
from api.schemas import MAX_LIMIT, SearchAnswer, SearchRequest
from api.service import Service, ServiceDep
from retrieval import Part, Query
from retrieval.query import MAX_TEXT

router = APIRouter(prefix="/v1/collections/{name}/search", tags=["search"])

REQUEST: dict[str, Any] = {"$ref": "#/components/schemas/SearchRequest"}
PICTURES = {"type": "array", "items": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": REQUEST},
            FORM: {
                "schema": {"type": "object", "properties": {"query": REQUEST, "image": PICTURES}},
                "encoding": {"query": {"contentType": JSON}},
            },
        },
    }
}


@router.get("")
async def search_by_text(
    name: str,
    service: ServiceDep,
    q: Annotated[str, QueryParam(min_length=1, max_length=MAX_TEXT, description="The text.")],
    limit: Annotated[int, QueryParam(ge=1, le=MAX_LIMIT)] = 10,
    group: bool = True,
) -> SearchAnswer:
    """Search by a text in any language, as a link."""
    return await service.queries(
        lambda: _search(service, name, Query([Part(text=q)], limit=limit, group=group))
    )


@router.post("", openapi_extra=BODY)
async def search(name: str, request: Request, service: ServiceDep) -> SearchAnswer:
    """Search by weighted texts, pictures and stored points, together.

    As JSON, with pictures in base64; or as a form, with pictures as files beside `query`.
    """
    asked, pictures = await read_search(request)
    return await service.queries(_answer, service, name, asked, pictures)


def _answer(
    service: Service, name: str, asked: SearchRequest, pictures: list[bytes]
) -> SearchAnswer:
    return _search(service, name, to_query(asked, pictures, service.limits))


def _search(service: Service, name: str, query: Query) -> SearchAnswer:
    answer = service.installation.searcher(name).search(query)
    for stage, milliseconds in answer.took_ms.items():
        service.metrics.timed(stage, milliseconds / 1000)
    return to_answer(answer)
