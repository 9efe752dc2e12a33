"""The filter tree: which points a search, a count or an edit applies to.

The grammar is Qdrant's. A filter combines conditions; each condition is about one payload key:

    {"must":     [{"key": "kind", "match": {"value": "video"}},
                  {"key": "exif.taken", "range": {"gte": "2024-05-01T00:00:00Z"}}],
     "should":   [{"key": "tags", "match": {"any": ["beach", "sea"]}},
                  {"key": "stars", "range": {"gte": 4}}],
     "must_not": [{"is_empty": {"key": "caption"}}]}

What a condition means:

- Keys are dotted: `exif.taken` is `taken` inside the object `exif`; `faces[].name` is `name` in any
  object of the array `faces`. A name that holds a dot, a bracket or a double quote is written in
  double quotes: `"a.b"`. The key `asset` is the URI of the point's asset, whatever the payload has.
- An array matches when any of its elements does. Elements of an array inside an array are not seen.
- A point without the field matches nothing but `is_empty`; so `must_not` lets such points through.
- Nothing is converted: the text "1" is not 1, true is not 1, and 1.0 is not the integer 1 (`range`
  compares integers and fractions alike, never booleans). Text compares exactly, case included.
- A `range` over text bounds compares instants: RFC 3339 times, or a plain date, which is its
  midnight; UTC where no offset is given. Stored text of another form is not an instant.
- `except` matches a value (any element) that is none of those listed.
- `is_empty`: the field is missing, null or `[]`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self, TypeAlias
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from indexer.errors import InvalidFilter

MAX_VALUES = 10_000
"""Most values one `any`, `except` or `has_id` may list."""

_MAX_DEPTH = 32
_INT64 = range(-(2**63), 2**63)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)?)?"
)


def parse_instant(text: str) -> datetime | None:
    """The instant that an RFC 3339 time or a date stands for, to the microsecond, or None."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _described(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _scalar(value: object) -> object:
    if isinstance(value, float):
        message = "a fraction cannot be matched exactly, use a range; got {got}"
    elif not isinstance(value, str | int):
        message = "must be a string, an integer or a boolean; got {got}"
    elif isinstance(value, int) and value not in _INT64:
        message = "must fit 64 bits; got {got}"
    else:
        return value
    raise PydanticCustomError("scalar", message, {"got": _described(value)})


def _number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("number", "must be a number; got {got}", {"got": _described(value)})


def _instant(value: object) -> object:
    instant = value if isinstance(value, datetime) else None
    if isinstance(value, str):
        instant = parse_instant(value)
    if instant is None or instant.tzinfo is None:
        raise PydanticCustomError(
            "instant",
            "must be an RFC 3339 time such as 2024-05-01T12:00:00Z, or a date; got {got}",
            {"got": _described(value)},
        )
    return instant.astimezone(UTC)


def _key(value: object) -> object:
    if not isinstance(value, str) or not value:
        message = "must be the name of a payload field; got {got}"
    elif re.search(r"\[\d+\]", value):
        message = "an element of an array cannot be picked by its position; got {got}"
    else:
        return value
    raise PydanticCustomError("key", message, {"got": _described(value)})


Scalar: TypeAlias = Annotated[bool | int | str, BeforeValidator(_scalar)]
Number: TypeAlias = Annotated[
    int | Annotated[float, Field(allow_inf_nan=False)], BeforeValidator(_number)
]
Instant: TypeAlias = Annotated[datetime, BeforeValidator(_instant)]
Key: TypeAlias = Annotated[str, BeforeValidator(_key)]


class _Part(BaseModel):
    """A piece of a filter: knows no fields but its own, and says so by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)
    noun: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: object) -> object:
        if isinstance(data, Mapping):
            names = {name: field.alias or name for name, field in cls.model_fields.items()}
            for name in data:
                if name not in names and name not in names.values():
                    _refuse(name, cls.noun, names.values())
        elif not isinstance(data, cls):
            raise PydanticCustomError(
                "part", "must be an object; got {got}", {"got": _described(data)}
            )
        return data


def _refuse(name: object, noun: str, known: Iterable[str]) -> None:
    raise PydanticCustomError(
        "unknown",
        "unknown {name} in {noun}, which takes: {known}",
        {"name": _described(name), "noun": noun, "known": ", ".join(known)},
    )


class MatchValue(_Part):
    """The field equals this value."""

    noun = "match"
    value: Scalar


class MatchAny(_Part):
    """The field equals one of these values."""

    noun = "match"
    any: list[Scalar] = Field(max_length=MAX_VALUES)


class MatchExcept(_Part):
    """The field has a value that is none of these."""

    noun = "match"
    except_: list[Scalar] = Field(alias="except", max_length=MAX_VALUES)


class _Range(_Part):
    noun = "range"

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if all(bound is None for _, bound in self):
            raise PydanticCustomError("range", "needs one of: gt, gte, lt, lte")
        return self


class NumberRange(_Range):
    """Bounds on a number."""

    gt: Number | None = None
    gte: Number | None = None
    lt: Number | None = None
    lte: Number | None = None


class DatetimeRange(_Range):
    """Bounds on an instant, as RFC 3339 text."""

    gt: Instant | None = None
    gte: Instant | None = None
    lt: Instant | None = None
    lte: Instant | None = None


def _kind_of(data: object, kinds: Mapping[str, type[_Part]]) -> str | None:
    """Which of the kinds is meant: that whose name is among the keys of `data`."""
    for name, kind in kinds.items():
        if isinstance(data, kind) or (isinstance(data, Mapping) and name in data):
            return f":{name}"
    return None


def _check_kind(data: object, kinds: Mapping[str, type[_Part]], noun: str) -> object:
    if _kind_of(data, kinds):
        return data
    strange = [name for name in data if name != "key"] if isinstance(data, Mapping) else []
    if strange:
        _refuse(strange[0], noun, kinds)
    raise PydanticCustomError(
        "part",
        "{noun} must be an object with one of: {known}; got {got}",
        {"noun": noun, "known": ", ".join(kinds), "got": _described(data)},
    )


_MATCHES: dict[str, type[_Part]] = {"value": MatchValue, "any": MatchAny, "except": MatchExcept}


def _range_kind(data: object) -> str:
    bounds = data.values() if isinstance(data, Mapping) else ()
    if isinstance(data, DatetimeRange) or any(
        isinstance(bound, str | datetime) for bound in bounds
    ):
        return ":datetime"
    return ":number"


Match: TypeAlias = Annotated[
    Annotated[MatchValue, Tag(":value")]
    | Annotated[MatchAny, Tag(":any")]
    | Annotated[MatchExcept, Tag(":except")],
    Discriminator(lambda data: _kind_of(data, _MATCHES)),
    BeforeValidator(lambda data: _check_kind(data, _MATCHES, "match")),
]
Range: TypeAlias = Annotated[
    Annotated[NumberRange, Tag(":number")] | Annotated[DatetimeRange, Tag(":datetime")],
    Discriminator(_range_kind),
]


class MatchCondition(_Part):
    """A field equals, or does not equal, given values."""

    noun = "a match condition"
    key: Key
    match: Match


class RangeCondition(_Part):
    """A field lies between bounds."""

    noun = "a range condition"
    key: Key
    range: Range


class PayloadField(_Part):
    """The name of a payload field."""

    noun = "is_empty"
    key: Key


class IsEmpty(_Part):
    """A field is missing, null or an empty array."""

    noun = "an is_empty condition"
    is_empty: PayloadField


class HasId(_Part):
    """The point is one of these."""

    noun = "a has_id condition"
    has_id: list[UUID] = Field(max_length=MAX_VALUES)


Condition: TypeAlias = Annotated[
    Annotated[MatchCondition, Tag(":match")]
    | Annotated[RangeCondition, Tag(":range")]
    | Annotated[IsEmpty, Tag(":is_empty")]
    | Annotated[HasId, Tag(":has_id")]
    | Annotated["Filter", Tag(":must")]
    | Annotated["Filter", Tag(":should")]
    | Annotated["Filter", Tag(":must_not")]
    | Annotated["Filter", Tag(":min_should")],
    Discriminator(lambda data: _kind_of(data, _CONDITIONS)),
    BeforeValidator(lambda data: _check_kind(data, _CONDITIONS, "a condition")),
]


class MinShould(_Part):
    """At least `min_count` of the conditions hold."""

    noun = "min_should"
    conditions: list[Condition]
    min_count: Annotated[int, Field(ge=0, strict=True)]


class Filter(_Part):
    """All of `must`, none of `must_not`, one of `should` if there are any, and `min_should`.

    An empty filter matches every point. A filter may stand where a condition does.
    """

    noun = "a filter"
    must: list[Condition] = Field(default_factory=list)
    should: list[Condition] = Field(default_factory=list)
    must_not: list[Condition] = Field(default_factory=list)
    min_should: MinShould | None = None

    @classmethod
    def parse(cls, obj: object) -> "Filter":
        """The filter that decoded JSON stands for (a `Filter` is returned as it is).

        Raises `InvalidFilter`, which names the place, what is wrong there and what exists.
        """
        try:
            _check_depth(obj)
            return cls.model_validate(obj)
        except ValidationError as error:
            raise InvalidFilter(f"filter: {_readable(error.errors()[0])}") from None
        except PydanticCustomError as error:
            raise InvalidFilter(f"filter: {error.message()}") from None


def payload_keys(tree: Filter) -> list[str]:
    """The payload keys that a filter speaks of, each once, in their order."""
    return [key for key in dict.fromkeys(_keys(tree)) if key != "asset"]


def _keys(tree: Filter) -> Iterator[str]:
    counted = tree.min_should.conditions if tree.min_should else []
    for condition in [*tree.must, *tree.should, *tree.must_not, *counted]:
        if isinstance(condition, Filter):
            yield from _keys(condition)
        elif isinstance(condition, IsEmpty):
            yield condition.is_empty.key
        elif not isinstance(condition, HasId):
            yield condition.key


_CONDITIONS: dict[str, type[_Part]] = {
    "match": MatchCondition,
    "range": RangeCondition,
    "is_empty": IsEmpty,
    "has_id": HasId,
    "must": Filter,
    "should": Filter,
    "must_not": Filter,
    "min_should": Filter,
}

MinShould.model_rebuild()
Filter.model_rebuild()


def _check_depth(obj: object) -> None:
    level: list[object] = [obj]
    for _ in range(3 * _MAX_DEPTH):
        level = [child for part in level for child in _children(part)]
        if not level:
            return
    raise PydanticCustomError(
        "depth", "nested more than {depth} filters deep", {"depth": _MAX_DEPTH}
    )


def _children(part: object) -> list[object]:
    if isinstance(part, Mapping):
        return list(part.values())
    return list(part) if isinstance(part, list | tuple) else []


def _readable(error: ErrorDetails) -> str:
    place = ""
    for step in error["loc"]:
        if isinstance(step, int):
            place += f"[{step}]"
        elif not step.startswith(":") and step not in {"bool", "int", "float", "str"}:
            place += f".{step}" if place else step
    message = error["msg"]
    return f"{place}: {message}" if place else message
