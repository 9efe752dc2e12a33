"""Filters in Qdrant's REST form as its engine in process takes them."""

from typing import Any

import qdrant_edge as edge


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
