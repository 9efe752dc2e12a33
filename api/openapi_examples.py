"""Example requests and responses for the OpenAPI document."""

from typing import Any

from indexer import point_id

POINT = str(point_id("id:sku-4711", "image"))
LISBON = {"must": [{"key": "album", "match": {"value": "Lisbon"}}]}
STORED = {"collection": "holidays", "point": POINT}
RERANK = {
    "query": "something red",
    "documents": ["a blue wall", "a red wall"],
    "top_n": 1,
    "return_documents": True,
}

REQUESTS: dict[str, Any] = {
    "POST /v1/collections": {"name": "holidays"},
    "PUT /v1/aliases/{alias}": {"collection": "holidays"},
    "POST /v1/collections/{name}/assets": {
        "texts": [
            "a red door in the old town",
            {"text": "the sea at noon", "id": "note-7", "payload": {"album": "Lisbon"}},
        ]
    },
    "POST /v1/collections/{name}/jobs": {
        "sources": ["/mnt/photos/2026"],
        "exclude": ["*.tmp"],
        "prune": True,
    },
    "POST /v1/collections/{name}/search": {
        "parts": [{"text": "a red bicycle"}, {"text": "night", "weight": -0.3}],
        "filter": {"must": [{"key": "kind", "match": {"any": ["image", "segment"]}}]},
        "limit": 1,
    },
    "PATCH /v1/collections/{name}/points/{point}": {
        "set": {"album": "Lisbon", "stars": 5},
        "delete": ["draft"],
    },
    "POST /v1/collections/{name}/points/scroll": {
        "filter": LISBON,
        "limit": 100,
        "with_vectors": ["default"],
    },
    "POST /v1/collections/{name}/points/count": {"filter": LISBON},
    "POST /v1/snapshots/{snapshot}/restore": {"name": "holidays-before"},
    "POST /v1/collections/{name}/import": {"export": "holidays-20261128T060412345Z"},
    "POST /v1/collections/{name}/migrate": {"target": "http://qdrant:6333", "name": "copy"},
    "POST /v1/embeddings": {"input": ["a red bicycle", {"text": "ein Hund"}]},
    "POST /v1/rerank": RERANK,
    "POST /v2/rerank": RERANK,
    "POST /v1/classify": {**STORED, "labels": ["bicycle", "boat", "dog"], "top": 2},
    "POST /v1/segment": STORED,
    "POST /v1/caption": STORED,
    "POST /v1/chat/completions": {
        "messages": [{"role": "user", "content": "Where is the red bicycle?"}],
        "collection": "holidays",
        "hits": 4,
        "max_tokens": 200,
    },
    "POST /v1/session": {"key": "the key that `polylens keys add` printed"},
    "POST /v1/collections/{name}/points/delete": {"filter": LISBON},
}

_PAYLOAD = {
    "kind": "image",
    "name": "lisbon.jpg",
    "folder": "/mnt/photos/2026",
    "size": 3184210,
    "mtime_ns": 1795845611566876283,
    "content_hash": "ea0c64165b1f5cd9d39da10fe254db3ba60a1031cea9ae9b6b14a8b1822c4263",
    "width": 4032,
    "height": 3024,
    "format": "JPEG",
    "taken": "2026-06-15T12:00:00Z",
}
_RECORD = {"id": POINT, "asset": "id:sku-4711", "payload": {**_PAYLOAD, "album": "Lisbon"}}
_DETAIL = {
    "name": "holidays",
    "points": 1550,
    "encoder": "google/siglip2-base-patch16-224",
    "vectors": {"default": 768},
    "kinds": {"image": 1204, "segment": 310, "video": 36, "text": 0},
}
_RERANKED = {
    "id": "98f042d6-b82a-4e5b-9192-56bca705748a",
    "results": [{"index": 1, "relevance_score": 0.93, "document": {"text": "a red wall"}}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 0}},
}
_COUNTS = ["found", "done", "unchanged", "skipped", "failed", "points", "captions", "uncaptioned"]
_EMBEDDED = [
    {"object": "embedding", "index": index, "embedding": [0.0213, -0.0871, 0.0442]}
    for index in (0, 1)
]

ANSWERS: dict[str, Any] = {
    "POST /v1/collections": {
        **_DETAIL,
        "points": 0,
        "kinds": {"image": 0, "segment": 0, "video": 0, "text": 0},
    },
    "PUT /v1/aliases/{alias}": {"alias": "photos", "collection": "holidays"},
    "POST /v1/collections/{name}/assets": {
        "items": [
            {
                "name": "a red door in the old town",
                "status": "done",
                "reason": "",
                "asset": f"text:{_PAYLOAD['content_hash']}",
                "point": "4fa16eb0-4b65-5882-8706-4cab20f69da0",
            }
        ],
        "job": None,
    },
    "PUT /v1/collections/{name}/assets/{id}": {
        "name": "sku-4711",
        "status": "done",
        "reason": "",
        "asset": "id:sku-4711",
        "point": POINT,
    },
    "POST /v1/collections/{name}/jobs": {
        "id": 7,
        "collection": "holidays",
        "sources": ["file:///mnt/photos/2026"],
        "options": {"exclude": ["*.tmp"], "prune": True},
        "encoder": "",
        "state": "queued",
        "is_over": False,
        "started": 1795845611.5,
        "updated": 1795845611.5,
        "counts": {**dict.fromkeys(_COUNTS, 0), "total": None},
        "rates": {"decode": 0, "encode": 0, "write": 0},
        "seconds": 0,
        "eta": None,
        "waiting": "",
        "error": "",
    },
    "POST /v1/collections/{name}/search": {
        "hits": [
            {
                **_RECORD,
                "score": 0.142,
                "scores": {"default": 0.142},
                "relevance": None,
                "good_match": None,
                "moments": [],
                "timeline": [],
                "duplicates": [],
            }
        ],
        "good_match": None,
        "warnings": [],
        "took_ms": {"plan": 0.03, "encode": 9.1, "retrieve": 1.2},
        "next": None,
        "stages": [],
    },
    "PATCH /v1/collections/{name}/points/{point}": {**_RECORD, "vectors": {}},
    "POST /v1/collections/{name}/points/scroll": {
        "points": [{**_RECORD, "vectors": {"default": [0.0213, -0.0871, 0.0442]}}],
        "next": None,
    },
    "POST /v1/collections/{name}/points/count": {"count": 1},
    "POST /v1/collections/{name}/points/delete": {"count": 1},
    "POST /v1/snapshots/{snapshot}/restore": {**_DETAIL, "name": "holidays-before"},
    "POST /v1/snapshots": {
        "name": "holidays-20261128T060412345Z.tar",
        "collection": "holidays",
        "points": 1550,
        "bytes": 5484544,
        "created": "2026-11-28T06:03:58.120034Z",
    },
    "POST /v1/exports": {
        "name": "holidays-20261128T060412345Z",
        "collection": "holidays",
        "points": 1550,
        "assets": 1240,
        "bytes": 5033164,
    },
    "POST /v1/collections/{name}/import": {
        "collection": "holidays",
        "points": 1550,
        "assets": 1240,
    },
    "POST /v1/collections/{name}/migrate": {
        "collection": "copy",
        "points": 1550,
        "written": 1550,
        "assets": 1240,
        "checksum": "cd30457ab6a995e7ca26434feeff83975877980b14c15cba2d458e60fc7c601c",
    },
    "POST /v1/embeddings": {
        "object": "list",
        "data": _EMBEDDED,
        "model": "google/siglip2-base-patch16-224",
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
    },
    "POST /v1/rerank": _RERANKED,
    "POST /v2/rerank": _RERANKED,
    "POST /v1/classify": {
        "labels": [
            {"label": "bicycle", "probability": 0.97},
            {"label": "boat", "probability": 0.02},
        ],
        "exclusive": True,
        "made": "zero-shot, 80 prompts a class",
    },
    "POST /v1/segment": {
        "width": 4032,
        "height": 3024,
        "areas": [{"index": 2, "name": "sky", "share": 0.41, "colour": "#06e6e6"}],
        "class_map": "iVBORw0KGgo=",
    },
    "POST /v1/caption": {"caption": "a red bicycle leaning against a yellow wall"},
    "POST /v1/chat/completions": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795845611,
        "model": "InternVL3-8B",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "It leans against a wall [1]."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1290, "completion_tokens": 9, "total_tokens": 1299},
        "citations": [{"number": 1, "id": POINT, "asset": "id:sku-4711", "score": 0.142}],
    },
}


def add_examples(paths: dict[str, Any]) -> None:
    """Put them into the `paths` of an OpenAPI document, at JSON bodies and the first success."""
    for place, example in REQUESTS.items():
        _operation(paths, place)["requestBody"]["content"]["application/json"]["example"] = example
    for place, example in ANSWERS.items():
        responses = _operation(paths, place)["responses"]
        success = responses[next(status for status in responses if status.startswith("2"))]
        success["content"]["application/json"]["example"] = example


def _operation(paths: dict[str, Any], place: str) -> dict[str, Any]:
    method, path = place.split()
    operation: dict[str, Any] = paths[path][method.lower()]
    return operation
