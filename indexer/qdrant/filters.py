"""Translate filters to Qdrant's, over the terms that `indexer.qdrant.payloads` stores."""

import json
import re
from collections.abc import Sequence
from datetime import datetime

from qdrant_client import models

from indexer.errors import InvalidFilter
from indexer.filters import (
    Condition,
    DatetimeRange,
    Filter,
    GeoCondition,
    HasId,
    IsEmpty,
    MatchAny,
    MatchCondition,
    MatchExcept,
    MatchValue,
    MinShould,
    NumberRange,
    RangeCondition,
)
from indexer.payload import scalar_entry
from indexer.qdrant.areas import in_area
from indexer.qdrant.payloads import ASSET, NULL, path, term_path, token
from indexer.words import KEYS

NOTHING = models.HasIdCondition(has_id=[])
_EVERYTHING = models.Filter(must_not=[NOTHING])
_FIRST_STEP = re.compile(r'"(?:[^"\\]|\\.)*"|[^."\[\]]+')
_EXACT = 2**53
"""From here on not every integer is a double, which is what Qdrant compares."""


def translated(tree: Filter) -> models.Filter:
    """Raises `InvalidFilter` for a bound that Qdrant could not compare exactly."""
    must = [_condition(condition) for condition in tree.must]
    must += _counted(tree.min_should) if tree.min_should else []
    must_not = [_condition(condition) for condition in tree.must_not]
    should = [_condition(condition) for condition in tree.should]
    if not (must or must_not or should):
        return _EVERYTHING
    return models.Filter(must=must or None, must_not=must_not or None, should=should or None)


def has_field(key: str) -> models.Filter:
    """Matches the points that have something at a dotted key."""
    where = key_path(key, "is")
    return models.Filter(must_not=[_missing(where)]) if where else models.Filter(must=[NOTHING])


def has_words(words: Sequence[str], tree: Filter | None) -> models.Filter:
    """Matches the points that have all these words of `indexer.words` and pass a filter."""
    paths = [term_path(key, key, "word") for key in KEYS]
    either: list[models.Condition] = [
        models.Filter(should=[_field(where, match=models.MatchValue(value=w)) for where in paths])
        for w in words
    ]
    return models.Filter(must=[*either, *([translated(tree)] if tree else [])])


def of_assets(assets: list[str]) -> models.FieldCondition:
    """Matches the points of any of these assets."""
    return _field(path(ASSET), match=models.MatchAny(any=assets))


def _counted(enough: MinShould) -> list[models.Condition]:
    if not enough.min_count:
        return []
    if enough.min_count > len(enough.conditions):
        return [NOTHING]
    conditions = [_condition(condition) for condition in enough.conditions]
    counted = models.MinShould(conditions=conditions, min_count=enough.min_count)
    return [models.Filter(min_should=counted)]


def _condition(condition: Condition) -> models.Condition:
    if isinstance(condition, Filter):
        return translated(condition)
    if isinstance(condition, HasId):
        return models.HasIdCondition(has_id=list(condition.has_id))
    if isinstance(condition, IsEmpty):
        return _is_empty(condition.is_empty.key)
    if condition.key == "asset":
        return _asset(condition)
    if isinstance(condition, RangeCondition):
        return _range(condition)
    return _match(condition) if isinstance(condition, MatchCondition) else _geo(condition)


def _is_empty(key: str) -> models.Condition:
    if key == "asset":
        return NOTHING
    where = key_path(key, "is")
    return _missing(where) if where else _EVERYTHING


def _asset(condition: MatchCondition | RangeCondition | GeoCondition) -> models.Condition:
    """A URI is text and nothing else."""
    if not isinstance(condition, MatchCondition):
        return NOTHING
    match = condition.match
    if isinstance(match, MatchExcept):
        others = [value for value in match.except_ if isinstance(value, str)]
        return models.Filter(must_not=[of_assets(others)]) if others else _EVERYTHING
    values = [match.value] if isinstance(match, MatchValue) else match.any
    uris = [value for value in values if isinstance(value, str)]
    return of_assets(uris) if uris else NOTHING


def _match(condition: MatchCondition) -> models.Condition:
    match, where = condition.match, key_path(condition.key, "is")
    if where is None:
        return NOTHING
    if isinstance(match, MatchValue):
        return _field(where, match=models.MatchValue(value=_token(match.value)))
    if isinstance(match, MatchAny):
        tokens = [_token(value) for value in match.any]
        return _field(where, match=models.MatchAny(any=tokens)) if tokens else NOTHING
    others = [NULL, *map(_token, match.except_)]
    return _field(where, match=models.MatchExcept(**{"except": others}))


def _range(condition: RangeCondition) -> models.Condition:
    bounds = condition.range
    if isinstance(bounds, DatetimeRange):
        where = key_path(condition.key, "at")
        times: dict[str, datetime] = bounds.model_dump(exclude_none=True)
        return _field(where, range=models.DatetimeRange(**times)) if where else NOTHING
    where = key_path(condition.key, "num")
    return _field(where, range=models.Range(**_numbers(bounds))) if where else NOTHING


def _geo(condition: GeoCondition) -> models.Condition:
    where = key_path(condition.key, "geo")
    return in_area(where, condition.area) if where else NOTHING


def _numbers(bounds: NumberRange) -> dict[str, float]:
    found: dict[str, float] = bounds.model_dump(exclude_none=True)
    for name, bound in found.items():
        if abs(bound) >= _EXACT:
            raise InvalidFilter(
                f"filter: {name} {bound}: Qdrant compares numbers as doubles, so bounds must lie "
                "within 2**53; store larger numbers as text and match them, or times as RFC 3339"
            )
    return found


def key_path(key: str, part: str) -> str | None:
    """The path of a part (`is`, `num`, ...) of a dotted key's terms; None if it is no key."""
    first = _FIRST_STEP.match(key)
    if first is None:
        return None
    step = first.group()
    try:
        name = json.loads(step) if step.startswith('"') else step
    except ValueError:
        return None
    return term_path(name, key, part)


def _field(
    where: str,
    match: models.Match | None = None,
    range: models.RangeInterface | None = None,  # noqa: A002 - Qdrant's word for it
) -> models.FieldCondition:
    return models.FieldCondition(key=where, match=match, range=range)


def _missing(where: str) -> models.IsEmptyCondition:
    return models.IsEmptyCondition(is_empty=models.PayloadField(key=where))


def _token(value: bool | int | str) -> str:
    return token(*scalar_entry(value))
