"""The filter grammar: what it accepts, how it refuses, and its JSON schema."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from indexer import (
    DatetimeRange,
    Filter,
    GeoBoundingBox,
    GeoBoundingBoxCondition,
    GeoRadius,
    GeoRadiusCondition,
    HasId,
    InvalidFilter,
    IsEmpty,
    MatchAny,
    MatchCondition,
    MatchExcept,
    MatchValue,
    MinShould,
    NumberRange,
    PayloadField,
    Place,
    RangeCondition,
)
from indexer.grammar import parse_instant
from tests.indexer.model import Json

ID = UUID("8f5f3a52-6b0e-5c8e-9d0c-6a1f0e3f7b11")


def must(condition: Json) -> dict[str, Any]:
    return {"must": [condition]}


GOOD: list[tuple[dict[str, Any], Any]] = [
    ({"key": "a", "match": {"value": "x"}}, MatchCondition(key="a", match=MatchValue(value="x"))),
    ({"key": "a", "match": {"any": [1, "1", True]}},
     MatchCondition(key="a", match=MatchAny(any=[1, "1", True]))),
    ({"key": "a", "match": {"except": ["x"]}},
     MatchCondition(key="a", match=MatchExcept(except_=["x"]))),
    ({"key": "a", "range": {"gt": 1, "lte": 2.5}},
     RangeCondition(key="a", range=NumberRange(gt=1, lte=2.5))),
    ({"key": "a", "range": {"gte": "2024-05-01T02:00:00+02:00"}},
     RangeCondition(key="a", range=DatetimeRange(gte=datetime(2024, 5, 1, tzinfo=UTC)))),
    ({"key": "a", "geo_radius": {"center": {"lat": 52, "lon": 13.4}, "radius": 1000}},
     GeoRadiusCondition(
         key="a", geo_radius=GeoRadius(center=Place(lat=52, lon=13.4), radius=1000))),
    ({"key": "a", "geo_bounding_box": {"top_left": {"lat": 1, "lon": 170},
                                       "bottom_right": {"lat": -1, "lon": -170}}},
     GeoBoundingBoxCondition(key="a", geo_bounding_box=GeoBoundingBox(
         top_left=Place(lat=1, lon=170), bottom_right=Place(lat=-1, lon=-170)))),
    ({"is_empty": {"key": "a"}}, IsEmpty(is_empty=PayloadField(key="a"))),
    ({"has_id": [str(ID)]}, HasId(has_id=[ID])),
    ({"should": []}, Filter()),
    ({"min_should": {"conditions": [], "min_count": 0}},
     Filter(min_should=MinShould(conditions=[], min_count=0))),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), GOOD)
def test_conditions_become_models(condition: dict[str, Any], expected: Json) -> None:
    tree = Filter.parse(must(condition))
    assert tree == Filter(must=[expected])
    assert Filter.parse(json.loads(tree.model_dump_json(by_alias=True))) == tree
    assert Filter.parse(tree) == tree


def test_values_keep_their_types() -> None:
    tree = Filter.parse(must({"key": "a", "match": {"any": [True, 1, "1", 0, False]}}))
    dumped = tree.model_dump(by_alias=True)["must"][0]["match"]["any"]
    assert [(type(v), v) for v in dumped] == [
        (bool, True), (int, 1), (str, "1"), (int, 0), (bool, False)
    ]  # fmt: skip


BAD: list[tuple[Any, str]] = [
    ({"mst": []}, "unknown 'mst' in a filter, which takes: must, should, must_not, min_should"),
    (None, "must be an object"),
    ([], "must be an object"),
    ({"must": {"key": "a"}}, "must: .*list"),
    (must(3), r"must\[0\].*got 3"),
    (must({}), r"must\[0\].*one of: match, range, geo_radius, .*is_empty, has_id"),
    (must({"key": "a", "contains": 3}), r"must\[0\]: unknown 'contains' .*takes: match, range"),
    (must({"key": "a", "match": {"text": "x"}}), "unknown 'text' in match.*value, any, except"),
    (must({"key": "a", "match": {"value": 1.5}}), r"match.value: .*use a range; got 1.5"),
    (must({"key": "a", "match": {"value": None}}), "got None"),
    (must({"key": "a", "match": {"value": 2**63}}), "64 bits"),
    (must({"key": "a", "match": {"any": "x"}}), "match.any: .*list"),
    (must({"key": "a", "match": {"any": [[]]}}), r"match.any\[0\]"),
    (must({"key": "a", "match": {"any": [1] * 10_001}}), "more than 10000"),
    (must({"key": "a", "match": {"value": 1}, "range": {"gt": 1}}), "unknown 'range'"),
    (must({"key": "a", "range": {"between": [1, 2]}}), "takes: gt, gte, lt, lte"),
    (must({"key": "a", "range": {"gt": True}}), "range.gt: must be a number; got True"),
    (must({"key": "a", "range": {"gt": float("nan")}}), "finite"),
    (must({"key": "a", "range": {"gt": "soon"}}), "RFC 3339"),
    (must({"key": "a", "range": {"gt": "2024-01-01", "lt": 3}}), "RFC 3339.*got 3"),
    (must({"key": "a", "range": {}}), "needs one of"),
    (must({"key": "a", "range": {"gt": None}}), "needs one of"),
    (
        must({"key": "a", "geo_radius": {"center": {"lat": 91, "lon": 0}, "radius": 1}}),
        r"geo_radius.center.lat: .*90",
    ),
    (
        must({"key": "a", "geo_radius": {"center": {"lat": 0, "lon": float("nan")}, "radius": 1}}),
        r"geo_radius.center.lon",
    ),
    (
        must({"key": "a", "geo_radius": {"center": {"lat": 0, "lon": True}, "radius": 1}}),
        r"center.lon: must be a number; got True",
    ),
    (
        must({"key": "a", "geo_radius": {"center": {"lat": 0, "lon": 0}, "radius": -1}}),
        r"geo_radius.radius: .*0",
    ),
    (
        must({"key": "a", "geo_radius": {"center": {"lat": 0, "lon": 0}, "radius": float("inf")}}),
        r"geo_radius.radius: .*finite",
    ),
    (
        must({"key": "a", "geo_radius": {"centre": {"lat": 0, "lon": 0}}}),
        "unknown 'centre' in geo_radius, which takes: center, radius",
    ),
    (
        must(
            {
                "key": "a",
                "geo_bounding_box": {
                    "top_left": {"lat": 0, "lon": 0},
                    "bottom_right": {"lat": 1, "lon": 1},
                },
            }
        ),
        r"geo_bounding_box: top_left lies south of bottom_right",
    ),
    (must({"match": {"value": 1}}), "key: .*required"),
    (must({"key": "", "match": {"value": 1}}), "name of a payload field"),
    (must({"key": 5, "match": {"value": 1}}), "name of a payload field"),
    (must({"key": "a[0]", "match": {"value": 1}}), "by its position"),
    (must({"is_empty": "a"}), "must be an object"),
    (must({"has_id": [1]}), "UUID"),
    (must({"has_id": ["1"]}), "UUID"),
    ({"min_should": {"conditions": [], "min_count": -1}}, "min_count"),
    ({"min_should": {"conditions": []}}, "min_count"),
    ({"must": [{"must": [{"key": "a", "like": 1}]}]}, r"must\[0\].must\[0\]: unknown 'like'"),
]


@pytest.mark.parametrize(("tree", "words"), BAD)
def test_mistakes_are_named_with_what_exists(tree: Json, words: str) -> None:
    with pytest.raises(InvalidFilter, match=words) as caught:
        Filter.parse(tree)
    assert "\n" not in str(caught.value)


CONDITION = {"key": "a", "match": {"value": 1}}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"must": [CONDITION] * 1001}, "more than 1000 conditions"),
        ({"should": [{"must": [CONDITION] * 100}] * 10}, "more than 1000 conditions"),
        (must({"min_should": {"conditions": [CONDITION] * 1000, "min_count": 1}}), "1000 cond"),
        ({"must": [{"key": "a", "match": {"any": [*range(5001)]}}] * 2}, "more than 10000 values"),
        (must({"has_id": [str(ID)] * 10_001}), "more than 10000 values"),
    ],
)
def test_the_size_of_a_filter_is_limited(tree: Json, words: str) -> None:
    with pytest.raises(InvalidFilter, match=words):
        Filter.parse(tree)


def test_the_largest_filter_is_taken() -> None:
    many = {"key": "a", "match": {"any": list(range(5000))}}
    tree = Filter.parse({"must": [many, many, *[CONDITION] * 998]})
    assert len(tree.must) == 1000


def test_endless_nesting_is_refused() -> None:
    tree: dict[str, Any] = {}
    for _ in range(100_000):
        tree = {"must": [tree]}
    with pytest.raises(InvalidFilter, match="deep"):
        Filter.parse(tree)


def test_a_bad_filter_inside_another_model_is_a_validation_error() -> None:
    class Body(BaseModel):
        filter: Filter

    with pytest.raises(ValidationError, match="unknown 'contains'"):
        Body.model_validate({"filter": must({"key": "a", "contains": 1})})


def test_the_json_schema_names_every_part() -> None:
    schema = Filter.model_json_schema(by_alias=True)
    condition = schema["$defs"]["Filter"]["properties"]["must"]["items"]
    names = {part["$ref"].rsplit("/", 1)[1] for part in condition["oneOf"]}
    assert names == {
        "MatchCondition", "RangeCondition", "GeoRadiusCondition", "GeoBoundingBoxCondition",
        "IsEmpty", "HasId", "Filter",
    }  # fmt: skip
    assert "except" in schema["$defs"]["MatchExcept"]["properties"]
    assert all(part["description"] for part in schema["$defs"].values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T12:30:00Z", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024-05-01t12:30:00z", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024-05-01 12:30:00", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024-05-01T12:30:00.25-03:30", datetime(2024, 5, 1, 16, 0, 0, 250_000, UTC)),
        ("2024-05-01T12:30:00.123456789Z", datetime(2024, 5, 1, 12, 30, 0, 123_456, UTC)),
        ("2024-13-01", None),
        ("2024-02-30", None),
        ("20240501", None),
        ("2024-W01-1", None),
        ("2024-05-01T12:30Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("٢٠٢٤-05-01", None),
        ("2024-05-01\n", None),
        ("", None),
    ],
)
def test_instants(text: str, expected: datetime | None) -> None:
    assert parse_instant(text) == expected
