"""`/v1/embeddings` in OpenAI's shape, `/v1/rerank` and `/v2/rerank` in Cohere's."""

import uuid
from typing import Any

from fastapi import APIRouter

from api.embeddings import EmbeddingsRequest, RerankRequest, describe, embed, rerank
from api.refusals import refusals
from api.schemas.service import EncoderOut
from api.service import ServiceDep

router = APIRouter(tags=["embeddings"])


@router.post("/v1/embeddings", responses=refusals(404))
async def create_embeddings(request: EmbeddingsRequest, service: ServiceDep) -> dict[str, Any]:
    """Embed texts and pictures with the encoder of this installation."""
    return await service.queries(embed, service, request)


@router.get("/v1/encoder")
async def describe_encoder(service: ServiceDep) -> EncoderOut:
    """Describe the encoder of this installation; others can use it by this server's URL."""
    return await service.queries(describe, service)


@router.post("/v1/rerank", responses=refusals(404))
@router.post("/v2/rerank", responses=refusals(404))
async def rerank_documents(request: RerankRequest, service: ServiceDep) -> dict[str, Any]:
    """Rank texts and pictures by relevance to a query, with scores from 0 to 1."""
    results = await service.queries(rerank, service, request)
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 0}}
    return {"id": str(uuid.uuid4()), "results": results, "meta": meta}
