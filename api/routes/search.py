"""`/v1/collections/{name}/search`"""

from contextlib import nullcontext
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Query as QueryParam

from api.queries import FORM, JSON, from_link, read_search, to_answer, to_query
from api.schemas.search import SearchAnswer, SearchLink, SearchRequest
from api.service import Service, ServiceDep
from retrieval import Query
from retrieval.cascade import MATCH

router = APIRouter(prefix="/v1/collections/{name}/search", tags=["search"])

STAGES = {"retrieve": "search", MATCH: "rerank"}
"""What the stages of a search are called in the metrics, where that differs."""
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


@router.get("", response_model=SearchAnswer)
async def search_by_link(
    name: str, link: Annotated[SearchLink, QueryParam()], service: ServiceDep
) -> Response:
    """Search by a text in any language, or by stored points, as a link."""
    return await service.queries(lambda: _search(service, name, from_link(link)))


@router.post("", openapi_extra=BODY, response_model=SearchAnswer)
async def search(name: str, request: Request, service: ServiceDep) -> Response:
    """Search by any combination of weighted texts, pictures, stored points and vectors.

    Send JSON with pictures in base64, or a form with pictures as files beside `query`.
    """
    asked, pictures = await read_search(request)
    return await service.queries(_answer, service, name, asked, pictures)


def _answer(service: Service, name: str, asked: SearchRequest, pictures: list[bytes]) -> Response:
    with service.metrics.timing("preprocess") if pictures else nullcontext():
        query = to_query(asked, pictures, service.limits)
    return _search(service, name, query)


def _search(service: Service, name: str, query: Query) -> Response:
    """The answer as bytes already: what is large is written out here, not on the event loop."""
    answer = service.installation.searcher(name).search(query)
    for stage, milliseconds in answer.took_ms.items():
        service.metrics.timed(STAGES.get(stage, stage), milliseconds / 1000)
    with service.metrics.timing("serialise"):
        content = to_answer(answer).model_dump_json()
    return Response(content, media_type=JSON)
