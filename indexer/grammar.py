"""What the pieces of a filter are made of: values that are not converted, fields that are known."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, NoReturn, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

_INT64 = range(-(2**63), 2**63)
_SURROGATE = re.compile("[\ud800-\udfff]")
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


def described(value: object) -> str:
    """The value as Python shows it, cut short where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair cannot."""
    return not _SURROGATE.search(text)


def _scalar(value: object) -> object:
    if isinstance(value, float):
        message = "a fraction cannot be matched exactly, use a range; got {got}"
    elif not isinstance(value, str | int):
        message = "must be a string, an integer or a boolean; got {got}"
    elif isinstance(value, int) and value not in _INT64:
        message = "must fit 64 bits; got {got}"
    elif isinstance(value, str) and not is_unicode(value):
        message = "must be valid Unicode; got {got}"
    else:
        return value
    raise PydanticCustomError("scalar", message, {"got": described(value)})


def _number(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("number", "must be a number; got {got}", {"got": described(value)})


def _instant(value: object) -> object:
    instant = value if isinstance(value, datetime) else None
    if isinstance(value, str):
        instant = parse_instant(value)
    if instant is None or instant.tzinfo is None:
        raise PydanticCustomError(
            "instant",
            "must be an RFC 3339 time such as 2024-05-01T12:00:00Z, or a date; got {got}",
            {"got": described(value)},
        )
    return instant.astimezone(UTC)


def _key(value: object) -> object:
    if not isinstance(value, str) or not value:
        message = "must be the name of a payload field; got {got}"
    elif not is_unicode(value):
        message = "must be valid Unicode; got {got}"
    elif re.search(r"\[\d+\]", value):
        message = "an element of an array cannot be picked by its position; got {got}"
    else:
        return value
    raise PydanticCustomError("key", message, {"got": described(value)})


Scalar: TypeAlias = Annotated[bool | int | str, BeforeValidator(_scalar)]
Number: TypeAlias = Annotated[
    int | Annotated[float, Field(allow_inf_nan=False)], BeforeValidator(_number)
]
Latitude: TypeAlias = Annotated[float, BeforeValidator(_number), Field(ge=-90, le=90)]
Longitude: TypeAlias = Annotated[float, BeforeValidator(_number), Field(ge=-180, le=180)]
Metres: TypeAlias = Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)]
Instant: TypeAlias = Annotated[datetime, BeforeValidator(_instant)]
Key: TypeAlias = Annotated[str, BeforeValidator(_key)]


class Part(BaseModel):
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
                    refuse(name, cls.noun, names.values())
        elif not isinstance(data, cls):
            raise PydanticCustomError(
                "part", "must be an object; got {got}", {"got": described(data)}
            )
        return data


def refuse(name: object, noun: str, known: Iterable[str]) -> NoReturn:
    """Say of a name that it is not known, and which are."""
    raise PydanticCustomError(
        "unknown",
        "unknown {name} in {noun}, which takes: {known}",
        {"name": described(name), "noun": noun, "known": ", ".join(known)},
    )
