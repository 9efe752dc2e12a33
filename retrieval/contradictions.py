"""Filters that nothing can pass, whatever is stored."""

from collections.abc import Iterator

from indexer import Condition, Filter, RangeCondition


def contradictions(tree: Filter) -> list[str]:
    """A sentence for each contradiction among the conditions that must all hold."""
    required, excluded = list(_required(tree)), list(_excluded(tree))
    found = [
        f"nothing can pass the filter: must and must_not both have {_text(condition)}"
        for condition in required
        if condition in excluded
    ]
    if tree.should and all(condition in excluded for condition in tree.should):
        found.append("nothing can pass the filter: must_not has all that is in should")
    ranges = [condition for condition in required if isinstance(condition, RangeCondition)]
    return found + [
        f"nothing can pass the filter: no value lies in {_text(condition)}"
        for condition in ranges
        if _is_void(condition)
    ]


def _required(tree: Filter) -> Iterator[Condition]:
    for condition in tree.must:
        if isinstance(condition, Filter):
            yield from _required(condition)
        else:
            yield condition


def _excluded(tree: Filter) -> Iterator[Condition]:
    yield from tree.must_not
    for condition in tree.must:
        if isinstance(condition, Filter):
            yield from _excluded(condition)


def _is_void(condition: RangeCondition) -> bool:
    """Whether a lower bound lies above an upper one."""
    bounds = dict(condition.range)
    lows = [(bounds[name], name == "gt") for name in ("gt", "gte") if bounds[name] is not None]
    highs = [(bounds[name], name == "lt") for name in ("lt", "lte") if bounds[name] is not None]
    return any(
        low > high or (low == high and (open_low or open_high))
        for low, open_low in lows
        for high, open_high in highs
    )


def _text(condition: Condition) -> str:
    return condition.model_dump_json(by_alias=True, exclude_none=True)
