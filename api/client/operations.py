"""What can be asked of collections and models: each function makes the call of one operation.

`filter` is a filter tree as JSON; `after` and `before` are `next` of the page before.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import httpx

from api.chat.schemas import ModelList
from api.client.call import Call, model, nothing
from api.refusal import ServiceError
from api.schemas.assets import AssetOut, AssetPage, UploadItem, UploadReport
from api.schemas.collections import CollectionDetail, CollectionList, FieldList
from api.schemas.jobs import FailurePage, JobList, JobOut, JobPlan
from api.schemas.points import Count, PointOut, PointPage
from api.schemas.search import SearchAnswer
from api.schemas.service import EncoderOut
from api.schemas.vision import CaptionAnswer, ClassifyAnswer, SegmentAnswer

Point = UUID | str
Filter = Mapping[str, Any]

_ASSETS = "/v1/collections/{name}/assets"
_ASSET = f"{_ASSETS}/{{id}}"
_POINT = "/v1/collections/{name}/points/{point}"
_JOBS = "/v1/collections/{name}/jobs"


def search(
    collection: str,
    text: str | None = None,
    *,
    image: bytes | None = None,
    point: Point | None = None,
    **options: Any,  # noqa: ANN401 - fields of `SearchRequest`
) -> Call[SearchAnswer]:
    """Search by any mixture of a text, a picture file's bytes and a stored point.

    `options` are further fields of the request: `limit`, `filter`, `group` ...
    """
    parts: list[dict[str, Any]] = []
    if text is not None:
        parts.append({"text": text})
    if image is not None:
        parts.append({"image": _base64(image)})
    if point is not None:
        parts.append({"point": str(point)})
    body = {"parts": parts, **options}
    path = "/v1/collections/{name}/search"
    return Call("POST", path, model(SearchAnswer), {"name": collection}, json=body)


def collections() -> Call[CollectionList]:
    """All collections."""
    return Call("GET", "/v1/collections", model(CollectionList))


def create_collection(name: str) -> Call[CollectionDetail]:
    """Make a collection for the service's encoder."""
    body = {"name": name}
    return Call("POST", "/v1/collections", model(CollectionDetail), json=body, once=True)


def collection(name: str) -> Call[CollectionDetail]:
    """Describe a collection."""
    return Call("GET", "/v1/collections/{name}", model(CollectionDetail), {"name": name})


def delete_collection(name: str) -> Call[None]:
    """Remove a collection and all it holds."""
    return Call("DELETE", "/v1/collections/{name}", nothing, {"name": name}, once=True)


def fields(collection: str, kinds: Sequence[str] = ()) -> Call[FieldList]:
    """List the payload fields that you can filter on, and their values."""
    path, params = "/v1/collections/{name}/fields", {"kind": list(kinds)}
    return Call("GET", path, model(FieldList), {"name": collection}, params)


def upload(
    collection: str,
    files: Sequence[Path],
    payload: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> Call[UploadReport]:
    """Add images and videos; each has its own outcome.

    `payload` is yours, to filter on: one for all of them, or one for each.
    """
    if not files:
        raise ServiceError(0, "there is no file to upload")
    names = {"name": collection}
    said = {} if payload is None else {"payload": json.dumps(payload)}
    return Call("POST", _ASSETS, model(UploadReport), names, files=files, fields=said)


def upload_texts(collection: str, texts: Sequence[str | Mapping[str, Any]]) -> Call[UploadReport]:
    """Add texts, each a point; each has its own outcome.

    One with an id of your own or a payload is a mapping: `text`, `id`, `payload`.
    """
    body = {"texts": list(texts)}
    return Call("POST", _ASSETS, model(UploadReport), {"name": collection}, json=body)


def put(
    collection: str,
    id: str,  # noqa: A002
    file: Path,
    payload: Mapping[str, Any] | None = None,
) -> Call[UploadItem]:
    """Store an image or a video under your own id, replacing what it had.

    `payload` is yours, to filter on.
    """
    names = {"name": collection, "id": id}
    said = {} if payload is None else {"payload": json.dumps(payload)}
    return Call("PUT", _ASSET, model(UploadItem), names, said, content=file)


def assets(
    collection: str, *, status: str | None = None, after: str | None = None, limit: int = 100
) -> Call[AssetPage]:
    """What ingestion did with each file; `status` is done, skipped or failed."""
    params = {"status": status, "after": after, "limit": limit}
    return Call("GET", _ASSETS, model(AssetPage), {"name": collection}, params)


def asset(collection: str, id: str) -> Call[AssetOut]:  # noqa: A002
    """Show what ingestion did with the file of your own id."""
    names = {"name": collection, "id": id}
    return Call("GET", _ASSET, model(AssetOut), names)


def delete_asset(collection: str, id: str) -> Call[None]:  # noqa: A002
    """Remove the file of your own id and all its points."""
    names = {"name": collection, "id": id}
    return Call("DELETE", _ASSET, nothing, names, once=True)


def forget(collection: str, uri: str) -> Call[None]:
    """Forget a file by its URI, with all its points."""
    return Call("DELETE", _ASSETS, nothing, {"name": collection}, {"uri": uri}, once=True)


def points(
    collection: str,
    *,
    filter: Filter | None = None,  # noqa: A002
    after: Point | None = None,
    limit: int = 100,
    with_vectors: Sequence[str] = (),
) -> Call[PointPage]:
    """Points that match, in the order of their ids, with the vectors of those names."""
    body = {
        "filter": filter,
        "limit": limit,
        "after": None if after is None else str(after),
        "with_vectors": list(with_vectors),
    }
    path = "/v1/collections/{name}/points/scroll"
    return Call("POST", path, model(PointPage), {"name": collection}, json=body)


def count(collection: str, filter: Filter | None = None) -> Call[int]:  # noqa: A002
    """The number of points that match."""
    path, body = "/v1/collections/{name}/points/count", {"filter": filter}
    return Call("POST", path, _count, {"name": collection}, json=body)


def delete_points(
    collection: str,
    ids: Sequence[Point] = (),
    *,
    filter: Filter | None = None,  # noqa: A002
) -> Call[int]:
    """Remove points by their ids or a filter; how many there were."""
    path = "/v1/collections/{name}/points/delete"
    body = {"ids": [str(one) for one in ids], "filter": filter}
    return Call("POST", path, _count, {"name": collection}, json=body, once=True)


def point(collection: str, point: Point) -> Call[PointOut]:
    """One point and its payload."""
    return Call("GET", _POINT, model(PointOut), {"name": collection, "point": point})


def patch(
    collection: str,
    point: Point,
    set: Mapping[str, Any] | None = None,  # noqa: A002
    *,
    delete: Sequence[str] = (),
) -> Call[PointOut]:
    """Set and remove keys of a point's payload."""
    body = {"set": set or {}, "delete": list(delete)}
    return Call("PATCH", _POINT, model(PointOut), {"name": collection, "point": point}, json=body)


def thumbnail(
    collection: str, point: Point, size: Literal["grid", "screen"] = "grid"
) -> Call[bytes]:
    """A small picture of a point, as WebP."""
    path = f"{_POINT}/thumbnail"
    return Call("GET", path, _bytes, {"name": collection, "point": point}, {"size": size})


def download_original(collection: str, point: Point, target: Path) -> Call[None]:
    """Write the file behind a point to `target`."""
    path, names = f"{_POINT}/original", {"name": collection, "point": point}
    return Call("GET", path, nothing, names, target=target)


def submit_job(collection: str, sources: Sequence[str], **options: Any) -> Call[JobOut]:  # noqa: ANN401
    """Ingest folders and files of the server, or URLs; `options` are those of `JobRequest`."""
    body = {"sources": list(sources), **options}
    return Call("POST", _JOBS, model(JobOut), {"name": collection}, json=body, once=True)


def plan_job(collection: str, sources: Sequence[str], **options: Any) -> Call[JobPlan]:  # noqa: ANN401
    """What `submit_job` would do; nothing is done. Listing many files takes a while."""
    body = {"sources": list(sources), **options, "dry_run": True}
    return Call("POST", _JOBS, model(JobPlan), {"name": collection}, json=body, slow=True)


def jobs(
    *, collection: str | None = None, before: int | None = None, limit: int = 50
) -> Call[JobList]:
    """All jobs, or those into a collection, the newest first."""
    params = {"collection": collection, "before": before, "limit": limit}
    return Call("GET", "/v1/jobs", model(JobList), params=params)


def job(job: int) -> Call[JobOut]:
    """Show a job and its progress."""
    return Call("GET", "/v1/jobs/{job}", model(JobOut), {"job": job})


def cancel_job(job: int) -> Call[JobOut]:
    """End a job; what it did is kept."""
    return Call("POST", "/v1/jobs/{job}/cancel", model(JobOut), {"job": job})


def failures(
    job: int,
    *,
    status: Literal["failed", "skipped"] = "failed",
    after: str | None = None,
    limit: int = 100,
) -> Call[FailurePage]:
    """What of a job's sources could not be used, and why."""
    params = {"status": status, "after": after, "limit": limit}
    return Call("GET", "/v1/jobs/{job}/failures", model(FailurePage), {"job": job}, params)


def embed(inputs: Sequence[str]) -> Call[list[list[float]]]:
    """A vector for each text or data: URI of a picture."""
    return Call("POST", "/v1/embeddings", _embeddings, json={"input": list(inputs)})


def encoder() -> Call[EncoderOut]:
    """The encoder of the service."""
    return Call("GET", "/v1/encoder", model(EncoderOut))


def models() -> Call[ModelList]:
    """The encoder and the chat model that are set up."""
    return Call("GET", "/v1/models", model(ModelList))


def rerank(
    query: str, documents: Sequence[str], top_n: int | None = None
) -> Call[list[tuple[int, float]]]:
    """The documents' positions and relevance, 0 to 1, best first."""
    body = {"query": query, "documents": list(documents), "top_n": top_n}
    return Call("POST", "/v1/rerank", _ranks, json=body)


def chat(messages: Sequence[Mapping[str, Any]], **options: Any) -> Call[dict[str, Any]]:  # noqa: ANN401
    """An answer in OpenAI's shape, all at once; `options` are those of `ChatRequest`."""
    body = {"messages": list(messages), **options}
    return Call("POST", "/v1/chat/completions", httpx.Response.json, json=body, slow=True)


def classify(
    labels: Sequence[str] = (),
    *,
    image: bytes | None = None,
    collection: str | None = None,
    point: Point | None = None,
    **options: Any,  # noqa: ANN401 - fields of `ClassifyRequest`
) -> Call[ClassifyAnswer]:
    """Which labels fit a picture file's bytes or a stored point; or a `probe`'s labels."""
    body = {"labels": list(labels), **_picture(image, collection, point), **options}
    return Call("POST", "/v1/classify", model(ClassifyAnswer), json=body)


def caption(
    *, image: bytes | None = None, collection: str | None = None, point: Point | None = None
) -> Call[CaptionAnswer]:
    """A sentence about a picture file's bytes or a stored point."""
    body = _picture(image, collection, point)
    return Call("POST", "/v1/caption", model(CaptionAnswer), json=body)


def segment(
    *, image: bytes | None = None, collection: str | None = None, point: Point | None = None
) -> Call[SegmentAnswer]:
    """Which class each pixel of a picture file's bytes or a stored point belongs to."""
    body = _picture(image, collection, point)
    return Call("POST", "/v1/segment", model(SegmentAnswer), json=body)


def _picture(image: bytes | None, collection: str | None, point: Point | None) -> dict[str, Any]:
    sent = None if image is None else _base64(image)
    stored = None if point is None else str(point)
    return {"image": sent, "collection": collection, "point": stored}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _count(response: httpx.Response) -> int:
    return model(Count)(response).count


def _bytes(response: httpx.Response) -> bytes:
    return response.content


def _embeddings(response: httpx.Response) -> list[list[float]]:
    return [item["embedding"] for item in response.json()["data"]]


def _ranks(response: httpx.Response) -> list[tuple[int, float]]:
    return [(item["index"], item["relevance_score"]) for item in response.json()["results"]]
