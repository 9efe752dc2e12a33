"""`/v1/collections/{name}/points`: records, and the pictures and files behind them."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, Response

from api import edits
from api.etags import not_modified
from api.media import Gone, content_type
from api.problems import Refusal
from api.refusals import BAD_RANGES, refusals
from api.schemas.points import (
    Count,
    CountRequest,
    PayloadPatch,
    PointOut,
    PointPage,
    PointSelection,
    ScrollRequest,
)
from api.security import requires
from api.service import Service, ServiceDep
from api.thumbnails import Size
from indexer import Collection, Filter, Record
from indexer.base import Kind

router = APIRouter(prefix="/v1/collections/{name}/points", tags=["points"])

CACHE = "private, max-age=600, stale-while-revalidate=86400"
PointId = Annotated[UUID, Path(description="A point's id.")]
Kinds = Annotated[list[Kind] | None, Query(description="Only these kinds.")]
PICTURE = {"content": {"image/webp": {}}, "description": "The picture."}
SAME = {"description": "What `If-None-Match` names is what there is."}
INSTEAD = {"content": {"image/webp": {}}, "description": "Its thumbnail, or a problem."}
FILE = {
    "content": {kind: {} for kind in ("image/*", "video/*", "application/octet-stream")},
    "description": "The file, or a range of it.",
}


@router.get("")
async def list_points(
    name: str,
    service: ServiceDep,
    kind: Kinds = None,
    after: Annotated[UUID | None, Query(description="`next` of the previous page.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> PointPage:
    """List points in id order, one page at a time."""
    return await service.queries(lambda: _page(service.open(name), kind, after, limit))


@router.post("/scroll")
async def scroll_points(
    name: str, service: ServiceDep, asked: ScrollRequest | None = None
) -> PointPage:
    """List points that match a filter, in id order, optionally with their vectors."""
    return await service.queries(lambda: _scroll(service.open(name), asked or ScrollRequest()))


@router.post("/count")
async def count_points(name: str, service: ServiceDep, asked: CountRequest | None = None) -> Count:
    """Count the points that match a filter, or all points."""
    tree = asked.filter if asked else None
    found = await service.queries(lambda: service.open(name).count(tree))
    return Count(count=found)


@router.post("/delete", dependencies=[requires("write")])
async def delete_points(name: str, which: PointSelection, service: ServiceDep) -> Count:
    """Delete points. Their files still count as done: ingest with `force` to restore them."""
    found = await service.writes(lambda: edits.delete_points(service.open(name), which))
    return Count(count=found)


@router.patch("/{point}", dependencies=[requires("write")])
async def patch_point(
    name: str, point: PointId, change: PayloadPatch, service: ServiceDep
) -> PointOut:
    """Set and remove keys of a point's payload; keys that ingestion wrote cannot be changed."""
    return _out(await service.writes(lambda: edits.patch(service.open(name), point, change)))


@router.get("/{point}")
async def get_point(name: str, point: PointId, service: ServiceDep) -> PointOut:
    """One point and its payload."""
    return _out(await service.queries(service.stored.record, name, point))


@router.get(
    "/{point}/thumbnail",
    response_class=Response,
    responses={200: PICTURE, 304: SAME, **refusals(410, 415, 507)},
)
async def get_thumbnail(
    name: str, point: PointId, service: ServiceDep, request: Request, size: Size = "grid"
) -> Response:
    """A small picture of a point: `grid` for a tile, `screen` for a whole display."""
    try:
        return await service.media(_thumbnail, service, name, point, size, request)
    except Gone as error:
        raise Refusal(410, "gone", str(error)) from error


@router.get(
    "/{point}/original",
    response_class=Response,
    responses={200: FILE, 206: FILE, 304: SAME, **BAD_RANGES, 410: INSTEAD},
)
async def get_original(
    name: str, point: PointId, service: ServiceDep, request: Request
) -> Response:
    """The original file; supports ranges. 410 and the thumbnail if it has changed or is gone."""
    return await service.media(_original, service, name, point, request)


def _page(
    collection: Collection, kinds: Sequence[Kind] | None, after: UUID | None, limit: int
) -> PointPage:
    return _scroll(collection, ScrollRequest(filter=of_kinds(kinds), limit=limit, after=after))


def of_kinds(kinds: Sequence[Kind] | None) -> Filter | None:
    """A filter for points of these kinds; None for all."""
    return Filter.parse({"must": [{"key": "kind", "match": {"any": kinds}}]}) if kinds else None


def _scroll(collection: Collection, asked: ScrollRequest) -> PointPage:
    page = collection.scroll(
        asked.filter, limit=asked.limit, after=asked.after, with_vectors=asked.with_vectors
    )
    return PointPage(points=[_out(record) for record in page.records], next=page.next)


def _out(record: Record) -> PointOut:
    vectors = {name: row.tolist() for name, row in record.vectors.items()}
    return PointOut(id=record.id, asset=record.asset, payload=record.payload, vectors=vectors)


def _thumbnail(service: Service, name: str, point: UUID, size: Size, request: Request) -> Response:
    path = service.thumbnails.get(service.stored.record(name, point), size)
    headers = {"Cache-Control": CACHE, "ETag": f'"{path.stem}"'}
    if same := not_modified(request, headers):
        return same
    return Response(path.read_bytes(), 200, headers, "image/webp")


def _original(service: Service, name: str, point: UUID, request: Request) -> Response:
    record = service.stored.record(name, point)
    try:
        original = service.originals.find(record)
    except Gone as error:
        return _instead(service, record, error)
    headers = {"Cache-Control": CACHE, "ETag": f'"{record.payload.get("content_hash", point)}"'}
    if same := not_modified(request, headers):
        return same
    shown = str(record.payload.get("name", point))
    kind = content_type(shown, str(record.payload.get("format", "")))
    return FileResponse(
        original.path,
        200,
        headers,
        kind,
        filename=shown,
        stat_result=original.status,
        content_disposition_type="inline"
        if kind.startswith(("image/", "video/"))
        else "attachment",
    )


def _instead(service: Service, record: Record, error: Gone) -> Response:
    """410, with the best thumbnail there is."""
    sizes: tuple[Size, ...] = ("screen", "grid")
    made = [path for size in sizes if (path := service.thumbnails.path(record, size)).exists()]
    if not made:
        raise Refusal(410, "gone", str(error)) from error
    return Response(made[0].read_bytes(), 410, media_type="image/webp")
