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
- A place is an object with `lat` and `lon`, numbers of degrees. `geo_radius` matches places nearer
  than `radius` metres to `center`, along the great circle of a sphere of 6371008.8 m;
  `geo_bounding_box` those between its edges, which are not part of it. It crosses the date line
  when `top_left` is east of `bottom_right`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Self, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from indexer.errors import InvalidFilter
from indexer.grammar import (
    Instant,
    Key,
    Latitude,
    Longitude,
    Metres,
    Number,
    Part,
    Scalar,
    described,
    refuse,
)

MAX_CONDITIONS = 1_000
"""Most conditions of a filter, those inside others included."""
MAX_VALUES = 10_000
"""Most values that the `any`, `except` and `has_id` of a filter may list together."""

_MAX_DEPTH = 32


class MatchValue(Part):
    """The field equals this value."""

    noun = "match"
    value: Scalar


class MatchAny(Part):
    """The field equals one of these values."""

    noun = "match"
    any: list[Scalar] = Field(max_length=MAX_VALUES)


class MatchExcept(Part):
    """The field has a value that is none of these."""

    noun = "match"
    except_: list[Scalar] = Field(alias="except", max_length=MAX_VALUES)


class _Range(Part):
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


def _kind_of(data: object, kinds: Mapping[str, type[Part]]) -> str | None:
    """Which of the kinds is meant: that whose name is among the keys of `data`."""
    for name, kind in kinds.items():
        if isinstance(data, kind) or (isinstance(data, Mapping) and name in data):
            return f":{name}"
    return None


def _check_kind(data: object, kinds: Mapping[str, type[Part]], noun: str) -> object:
    if _kind_of(data, kinds):
        return data
    strange = [name for name in data if name != "key"] if isinstance(data, Mapping) else []
    if strange:
        refuse(strange[0], noun, kinds)
    raise PydanticCustomError(
        "part",
        "{noun} must be an object with one of: {known}; got {got}",
        {"noun": noun, "known": ", ".join(kinds), "got": described(data)},
    )


_MATCHES: dict[str, type[Part]] = {"value": MatchValue, "any": MatchAny, "except": MatchExcept}


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


class MatchCondition(Part):
    """A field equals, or does not equal, given values."""

    noun = "a match condition"
    key: Key
    match: Match


class RangeCondition(Part):
    """A field lies between bounds."""

    noun = "a range condition"
    key: Key
    range: Range


class Place(Part):
    """A place on Earth, in degrees."""

    noun = "a place"
    lat: Latitude
    lon: Longitude


class GeoRadius(Part):
    """A circle on Earth; `radius` is in metres."""

    noun = "geo_radius"
    center: Place
    radius: Metres


class GeoBoundingBox(Part):
    """What lies between two parallels and two meridians, eastward from the left one."""

    noun = "geo_bounding_box"
    top_left: Place
    bottom_right: Place

    @model_validator(mode="after")
    def _upright(self) -> Self:
        if self.top_left.lat < self.bottom_right.lat:
            raise PydanticCustomError("box", "top_left lies south of bottom_right")
        return self


class GeoRadiusCondition(Part):
    """A field is a place inside a circle."""

    noun = "a geo_radius condition"
    key: Key
    geo_radius: GeoRadius

    @property
    def area(self) -> GeoRadius:
        return self.geo_radius


class GeoBoundingBoxCondition(Part):
    """A field is a place inside a box."""

    noun = "a geo_bounding_box condition"
    key: Key
    geo_bounding_box: GeoBoundingBox

    @property
    def area(self) -> GeoBoundingBox:
        return self.geo_bounding_box


GeoCondition: TypeAlias = GeoRadiusCondition | GeoBoundingBoxCondition


class PayloadField(Part):
    """The name of a payload field."""

    noun = "is_empty"
    key: Key


class IsEmpty(Part):
    """A field is missing, null or an empty array."""

    noun = "an is_empty condition"
    is_empty: PayloadField


class HasId(Part):
    """The point is one of these."""

    noun = "a has_id condition"
    has_id: list[UUID] = Field(max_length=MAX_VALUES)


Condition: TypeAlias = Annotated[
    Annotated[MatchCondition, Tag(":match")]
    | Annotated[RangeCondition, Tag(":range")]
    | Annotated[GeoRadiusCondition, Tag(":geo_radius")]
    | Annotated[GeoBoundingBoxCondition, Tag(":geo_bounding_box")]
    | Annotated[IsEmpty, Tag(":is_empty")]
    | Annotated[HasId, Tag(":has_id")]
    | Annotated["Filter", Tag(":must")]
    | Annotated["Filter", Tag(":should")]
    | Annotated["Filter", Tag(":must_not")]
    | Annotated["Filter", Tag(":min_should")],
    Discriminator(lambda data: _kind_of(data, _CONDITIONS)),
    BeforeValidator(lambda data: _check_kind(data, _CONDITIONS, "a condition")),
]


class MinShould(Part):
    """At least `min_count` of the conditions hold."""

    noun = "min_should"
    conditions: list[Condition]
    min_count: Annotated[int, Field(ge=0, strict=True)]


class Filter(Part):
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
            _check_size(obj)
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


_CONDITIONS: dict[str, type[Part]] = {
    "match": MatchCondition,
    "range": RangeCondition,
    "geo_radius": GeoRadiusCondition,
    "geo_bounding_box": GeoBoundingBoxCondition,
    "is_empty": IsEmpty,
    "has_id": HasId,
    "must": Filter,
    "should": Filter,
    "must_not": Filter,
    "min_should": Filter,
}

MinShould.model_rebuild()
Filter.model_rebuild()


def _check_size(obj: object) -> None:
    """Conditions are the objects in arrays of a filter, values what else is in arrays."""
    level: list[object] = [obj]
    conditions = values = 0
    for _ in range(3 * _MAX_DEPTH):
        elements = [one for part in level if isinstance(part, list | tuple) for one in part]
        found = sum(isinstance(one, Mapping) for one in elements)
        conditions, values = conditions + found, values + len(elements) - found
        if conditions > MAX_CONDITIONS:
            _too_large("conditions", MAX_CONDITIONS)
        if values > MAX_VALUES:
            _too_large("values", MAX_VALUES)
        level = elements + [one for p in level if isinstance(p, Mapping) for one in p.values()]
        if not level:
            return
    raise PydanticCustomError(
        "depth", "nested more than {depth} filters deep", {"depth": _MAX_DEPTH}
    )


def _too_large(what: str, most: int) -> None:
    raise PydanticCustomError(
        "size", "more than {most} {what} in one filter", {"most": most, "what": what}
    )


def _readable(error: ErrorDetails) -> str:
    place = ""
    for step in error["loc"]:
        if isinstance(step, int):
            place += f"[{step}]"
        elif not step.startswith(":") and step not in {"bool", "int", "float", "str"}:
            place += f".{step}" if place else step
    message = error["msg"]
    return f"{place}: {message}" if place else message
