"""Payloads in Qdrant, stored so that filters mean the same as everywhere.

Each top-level field `color` is stored twice: `color` as it was given, and `color~`, the terms by
which it is found. Both are written by one operation, so that they never disagree. The URI of the
point's asset is `~asset`. Terms map a dotted key, as filters write it, to

    is    one text for each value: its type and the value, so that 1, "1" and true differ
    num   its numbers
    at    its instants, as RFC 3339 times in UTC
    geo   its places
    word  of `text` and `caption`: the words by which they are found

so a filter needs no more of Qdrant than texts that are equal, ranges, and fields that are missing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from indexer.base import Payload
from indexer.errors import CollectionDamaged, InvalidPoint
from indexer.geo import unpacked
from indexer.payload import Entry, entries
from indexer.words import words_of

ASSET = "~asset"
NULL = "n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPES = {"%": "%25", '"': "%22", "~": "%7E", "\\": "%5C"}
_NAMELESS = "%"
_INT64 = range(-(2**63), 2**63)


def stored(asset: str, payload: Payload) -> dict[str, Any]:
    """What Qdrant is given of a point; raises `InvalidPoint` for an integer beyond 64 bits."""
    return {ASSET: asset} | stored_fields(payload)


def stored_fields(payload: Payload) -> dict[str, Any]:
    """Top-level fields with their terms."""
    check_integers(payload)
    found: dict[str, Any] = {}
    for name, value in payload.items():
        found[escaped(name)] = value
        found[f"{escaped(name)}~"] = _terms({name: value})
        if words := words_of({name: value}):
            found[f"{escaped(name)}~"][name]["word"] = list(words.held)
    return found


def stored_names(name: str) -> list[str]:
    """The paths of a top-level field and of its terms."""
    return [path(escaped(name)), path(f"{escaped(name)}~")]


def loaded(found: dict[str, Any] | None) -> tuple[str, Payload]:
    """The asset and the payload of a stored point; raises `CollectionDamaged` if it is not ours."""
    if not found or ASSET not in found:
        raise CollectionDamaged("a point has no asset: something else has written to Qdrant")
    return found[ASSET], {_plain(name): v for name, v in found.items() if "~" not in name}


def term_path(field: str, key: str, part: str) -> str:
    """Where the terms of a dotted key lie; `field` is the name of its first step."""
    return path(f"{escaped(field)}~", escaped(key), part)


def path(*steps: str) -> str:
    """A JSON path; each step in quotes, which no name of ours holds."""
    return ".".join(f'"{step}"' for step in steps)


def escaped(name: str) -> str:
    """The name without the characters that a quoted step, or our own names, could not hold."""
    return "".join(_ESCAPES.get(letter, letter) for letter in name) or _NAMELESS


def token(kind: str, value: object) -> str:
    """The text that stands for a value of a type, as `indexer.payload.scalar_entry` gives them."""
    if isinstance(value, bytes):
        return f"{kind}{value.hex()}"
    return f"{kind}{value}" if kind in "bis" else kind


def _plain(name: str) -> str:
    if name == _NAMELESS:
        return ""
    for letter, escape in reversed(_ESCAPES.items()):
        name = name.replace(escape, letter)
    return name


def _terms(payload: Payload) -> dict[str, dict[str, list[Any]]]:
    terms: dict[str, dict[str, list[Any]]] = {}
    for key, kind, value in sorted(entries(payload), key=_order):
        parts = terms.setdefault(escaped(key), {})
        if kind == "t" and isinstance(value, int):
            moment = _EPOCH + timedelta(microseconds=value)
            parts.setdefault("at", []).append(moment.isoformat())
        elif kind == "g" and isinstance(value, str):
            [lat], [lon] = unpacked(value)
            parts.setdefault("geo", []).append({"lat": float(lat), "lon": float(lon)})
        else:
            parts.setdefault("is", []).append(token(kind, value))
        if kind in "if":
            parts.setdefault("num", []).append(value)
    return terms


def _order(entry: Entry) -> tuple[str, str, str]:
    return entry[0], entry[1], str(entry[2])


def check_integers(value: object) -> None:
    """Raises `InvalidPoint` for an integer that Qdrant would not keep."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            check_integers(part)
    elif isinstance(value, int) and value not in _INT64:
        raise InvalidPoint(f"the payload holds {value}: Qdrant stores integers of at most 64 bits")
