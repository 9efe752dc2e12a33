"""Payloads: what may be stored, its text, and the rows that make it searchable."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from indexer.base import Payload
from indexer.errors import CollectionDamaged, InvalidPoint
from indexer.geo import packed, place_of
from indexer.grammar import parse_instant

MAX_BYTES = 1 << 20
_MAX_DEPTH = 64
_LONG_TEXT = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTED = frozenset('."[]')
_PLAIN = frozenset((str, int, bool, type(None)))  # always good
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Entry = tuple[str, str, object]
"""A row of the table `kv` without its point: key, type, value."""


def encode(payload: Payload, owner: str) -> str:
    """The payload's JSON text; raises `InvalidPoint` naming `owner` and the place."""
    if not isinstance(payload, dict):
        raise InvalidPoint(f"{owner}: a payload must be an object, not {type(payload).__name__}")
    try:
        _check(payload, "payload", 0)
        text = _COMPACT.encode(payload)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidPoint(f"{owner}: the payload holds text that is not valid Unicode") from None
    except ValueError as error:
        raise InvalidPoint(f"{owner}: {error}") from None
    if size > MAX_BYTES:
        raise InvalidPoint(f"{owner}: the payload has {size} bytes, more than {MAX_BYTES}")
    return text


def check_payload(payload: Payload) -> None:
    """Raises `InvalidPoint` unless it could be a payload."""
    encode(payload, "the payload given")


def decode(text: str) -> Payload:
    """The payload of a stored text; raises `CollectionDamaged` where it is none."""
    try:
        payload = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CollectionDamaged(f"a stored payload is not JSON: {error}; run verify") from error
    if not isinstance(payload, dict):
        raise CollectionDamaged("a stored payload is not an object; run verify")
    return payload


def entries(payload: Payload) -> set[Entry]:
    """The rows of the table `kv` that make a payload searchable (docs/index.md)."""
    return {entry for name, value in payload.items() for entry in _field(key_of(name), value)}


def key_of(name: str) -> str:
    """A field's name as it stands in a dotted key."""
    if name and not _QUOTED & set(name):
        return name
    return json.dumps(name, ensure_ascii=False)


def scalar_entry(value: str | float) -> tuple[str, object]:
    """The type and value under which a scalar is looked up."""
    if isinstance(value, bool):
        return "b", int(value)
    if isinstance(value, int):
        return ("i", value) if -(2**63) <= value < 2**63 else ("f", _float(value))
    if isinstance(value, float):
        return "f", value
    data = value.encode()
    if len(data) > _LONG_TEXT:
        return "h", hashlib.sha256(data).digest()[:16]
    return "s", value


def microseconds(moment: datetime) -> int:
    """An instant as microseconds since 1970."""
    elapsed = moment - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _field(key: str, value: object) -> Iterator[Entry]:
    if isinstance(value, list | tuple):
        for element in value:
            yield from _element(key, f"{key}[]", element)
    elif value is not None:
        yield from _element(key, key, value)


def _element(key: str, inner: str, value: object) -> Iterator[Entry]:
    if isinstance(value, Mapping):
        yield key, "o", 0
        place = place_of(value)
        if place:
            yield key, "g", packed(*place)
        for name, part in value.items():
            yield from _field(f"{inner}.{key_of(name)}", part)
    elif isinstance(value, list | tuple):
        yield key, "a", 0
    elif value is None:
        yield key, "n", 0
    elif isinstance(value, str | int | float):
        yield key, *scalar_entry(value)
        moment = parse_instant(value) if isinstance(value, str) else None
        if moment:
            yield key, "t", microseconds(moment)


def _check(value: object, place: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError(f"the payload is nested more than {_MAX_DEPTH} deep")
    if isinstance(value, dict):
        for name, part in value.items():
            if not isinstance(name, str):
                raise ValueError(f"{place} has a key that is not text: {name!r}")
            if type(part) not in _PLAIN:
                _check(part, f"{place}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            if type(part) not in _PLAIN:
                _check(part, f"{place}[{index}]", depth + 1)
    else:
        _check_leaf(value, place)


def _check_leaf(value: object, place: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place} is {value}, which JSON cannot hold")
    if not (value is None or isinstance(value, str | int | float)):
        raise ValueError(f"{place} is a {type(value).__name__}, which JSON cannot hold")
