from typing import Any

import pytest

from indexer import Filter
from retrieval.contradictions import contradictions

RED = {"key": "colour", "match": {"value": "red"}}
BLUE = {"key": "colour", "match": {"value": "blue"}}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"must": [RED], "must_not": [RED]}, "both have"),
        ({"must": [{"must": [RED]}], "must_not": [RED]}, "both have"),
        ({"must": [RED, {"must_not": [RED]}]}, "both have"),
        ({"should": [RED, BLUE], "must_not": [BLUE, RED]}, "all that is in should"),
        ({"must": [{"key": "n", "range": {"gt": 5, "lt": 3}}]}, "no value lies in"),
        ({"must": [{"key": "n", "range": {"gte": 5, "lt": 5}}]}, "no value lies in"),
    ],
)
def test_what_nothing_can_pass_is_told(tree: dict[str, Any], told: str) -> None:
    (sentence,) = contradictions(Filter.parse(tree))
    assert told in sentence


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"must": [RED], "must_not": [BLUE]},
        {"must": [RED, BLUE]},  # an array may hold both
        {"should": [RED, BLUE], "must_not": [RED]},
        {"must": [{"key": "n", "range": {"gte": 5, "lte": 5}}]},
        {"must": [{"key": "n", "range": {"gte": 5}}]},
    ],
)
def test_what_something_could_pass_is_not(tree: dict[str, Any]) -> None:
    assert contradictions(Filter.parse(tree)) == []
