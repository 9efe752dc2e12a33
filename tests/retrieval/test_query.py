from uuid import uuid4

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
    ],
)
def test_a_part_is_one_thing_with_a_usable_weight(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        Part(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "limit", "problem"),
    [
        ([], 10, "empty"),
        ([Part(text="cat", weight=-1)], 10, "positive weight"),
        ([Part(text="cat")] * 33, 10, "at most 32 parts"),
        ([Part(text="x" * 2100)] * 2, 10, "characters together"),
        ([Part(text="cat")], 0, "limit"),
        ([Part(text="cat")], 1001, "limit"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(
    parts: list[Part], limit: int, problem: str
) -> None:
    with pytest.raises(InvalidQuery, match=problem):
        Query(parts, limit=limit)


def test_thresholds_apply_to_a_single_text_only() -> None:
    assert Query([Part(text="cat")]).only_text
    assert not Query([Part(text="cat"), Part(text="dog", weight=-0.5)]).only_text
    assert not Query([Part(point=uuid4())]).only_text
