from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from retrieval import InvalidQuery, Part, Query


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "exactly one of"),
        ({"text": "cat", "point": uuid4()}, "exactly one of"),
        ({"text": "  \n"}, "empty"),
        ({"text": "x" * 5000}, "more than"),
        ({"text": "cat", "weight": 0.0}, "weight"),
        ({"text": "cat", "weight": float("nan")}, "weight"),
        ({"text": "cat", "weight": float("inf")}, "weight"),
        ({"text": "cat", "vector": np.ones(3, np.float32)}, "exactly one of"),
        ({"vector": np.zeros(3, np.float32)}, "not all of them 0"),
        ({"vector": np.array([1, np.nan], np.float32)}, "finite"),
        ({"vector": np.ones((2, 3), np.float32)}, "list"),
    ],
)
def test_a_part_is_one_thing_with_a_usable_weight(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        Part(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "options", "problem"),
    [
        ([], {}, "empty"),
        ([Part(text="cat", weight=-1)], {}, "positive weight"),
        ([Part(text="cat")] * 33, {}, "at most 32 parts"),
        ([Part(text="x" * 2100)] * 2, {}, "characters together"),
        ([Part(text="cat")], {"limit": 0}, "limit"),
        ([Part(text="cat")], {"limit": 1001}, "limit"),
        ([Part(text="cat")], {"candidates": 0}, "candidates"),
        ([Part(text="cat")], {"effort": 1.1}, "effort is 0 to 1"),
        ([Part(text="cat")], {"effort": float("nan")}, "effort is 0 to 1"),
        ([Part(text="cat")], {"rerank": -1}, "rerank is 0 to"),
        ([Part(point=uuid4())], {"rerank": 5}, "exactly one"),
        ([Part(text="cat"), Part(text="dog")], {"rerank": 5}, "exactly one"),
        ([Part(text="cat")], {"diversity": 1.5}, "diversity"),
        ([Part(text="cat")], {"diversity": float("nan")}, "diversity"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    parts: list[Part], options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        Query(parts, **options)


def test_thresholds_apply_to_a_single_text_only() -> None:
    assert Query([Part(text="cat")]).only_text
    assert not Query([Part(text="cat"), Part(text="dog", weight=-0.5)]).only_text
    assert not Query([Part(point=uuid4())]).only_text
