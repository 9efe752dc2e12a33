"""Qdrant's own engine, in a process of its own: which points match filters?

Reads one JSON object from standard input: `folder`, `indexes` (path -> kind), `points` (`id` and
`payload`), `filters` in Qdrant's REST form, and perhaps `removed`, paths of payload fields. Prints
the ids that each filter matches, then of the points that have one field left without those removed.
A process of its own, because the engine never lets go of Python's lock.
"""

import json
import sys
from typing import Any

import qdrant_edge as edge

KINDS = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "float": edge.PayloadSchemaType.Float,
    "datetime": edge.PayloadSchemaType.Datetime,
    "geo": edge.PayloadSchemaType.Geo,
}


def main() -> None:
    asked = json.load(sys.stdin)
    vector = edge.EdgeVectorParams(size=1, distance=edge.Distance.Dot)
    shard = edge.EdgeShard.create(asked["folder"], edge.EdgeConfig(vectors=vector))
    for path, kind in asked["indexes"].items():
        shard.update(edge.UpdateOperation.create_field_index(path, KINDS[kind]))
    points = [edge.Point(point["id"], [1.0], point["payload"]) for point in asked["points"]]
    shard.update(edge.UpdateOperation.upsert_points(points))
    found = [matching(shard, tree, len(points)) for tree in asked["filters"]]
    if "removed" in asked:
        ids = [point["id"] for point in asked["points"]]
        shard.update(edge.UpdateOperation.delete_payload(ids, asked["removed"]))
        records = shard.scroll(edge.ScrollRequest(limit=len(points), with_payload=True))[0]
        found.append([str(record.id) for record in records if len(record.payload or {}) == 1])
    shard.close()
    json.dump(found, sys.stdout)


def matching(shard: edge.EdgeShard, tree: dict[str, Any], limit: int) -> list[str]:
    request = edge.ScrollRequest(limit=limit, filter=translated(tree))
    return [str(record.id) for record in shard.scroll(request)[0]]


def translated(tree: dict[str, Any]) -> edge.Filter:
    enough = tree.get("min_should")
    return edge.Filter(
        must=conditions(tree.get("must")),
        should=conditions(tree.get("should")),
        must_not=conditions(tree.get("must_not")),
        min_should=enough
        and edge.MinShould([condition(part) for part in enough["conditions"]], enough["min_count"]),
    )


def conditions(parts: list[Any] | None) -> list[Any] | None:
    return None if parts is None else [condition(part) for part in parts]


def condition(part: dict[str, Any]) -> Any:  # noqa: ANN401
    if "has_id" in part:
        return edge.HasIdCondition(set(part["has_id"]))
    if "is_empty" in part:
        return edge.IsEmptyCondition(part["is_empty"]["key"])
    if "key" not in part:
        return translated(part)
    if "match" in part:
        return edge.FieldCondition(part["key"], match=match(part["match"]))
    if "geo_radius" in part or "geo_bounding_box" in part:
        return area(part)
    bounds = part["range"]
    textual = any(isinstance(bound, str) for bound in bounds.values())
    kind = edge.RangeDateTime if textual else edge.RangeFloat
    return edge.FieldCondition(part["key"], range=kind(**bounds))


def area(part: dict[str, Any]) -> Any:  # noqa: ANN401
    if "geo_radius" in part:
        circle = part["geo_radius"]
        radius = edge.GeoRadius(edge.GeoPoint(**circle["center"]), circle["radius"])
        return edge.FieldCondition(part["key"], geo_radius=radius)
    corners = {name: edge.GeoPoint(**corner) for name, corner in part["geo_bounding_box"].items()}
    return edge.FieldCondition(part["key"], geo_bounding_box=edge.GeoBoundingBox(**corners))


def match(part: dict[str, Any]) -> Any:  # noqa: ANN401
    if "value" in part:
        return edge.MatchValue(part["value"])
    return edge.MatchAny(part["any"]) if "any" in part else edge.MatchExcept(part["except"])


if __name__ == "__main__":
    main()
