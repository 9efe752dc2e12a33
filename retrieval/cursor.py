"""Cursors: how far a walk over an answer has come, and what it is a walk over."""

import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from encoders import RGBImage
from indexer import Collection
from retrieval.errors import InvalidCursor
from retrieval.query import Part, Query

Key = tuple[float, UUID]
"""Where a hit stands in the order of retrieval: (-score, id)."""

_DIGEST = 8
_HEAD = struct.Struct(f">B{_DIGEST}s{_DIGEST}sIBI")
_KEY = struct.Struct(">d16s")
_VERSION = 2
_HAS_START, _HAS_END = 1, 2


@dataclass(frozen=True)
class Place:
    """What was answered already: everything up to `start`, and some of what lies up to `end`.

    Keys after `start` up to `end` form a window, whose hits the later stages put into their own
    order; `shown` has the marks of those that were answered. Without an `end` a new window begins.
    `depth` is how many points lay before the next ones: where to look, not what to leave out.
    `moved` has the marks of what was answered before its place in the order was reached.
    """

    start: Key | None = None
    end: Key | None = None
    depth: int = 0
    shown: frozenset[bytes] = frozenset()
    moved: frozenset[bytes] = frozenset()


def mark(name: str) -> bytes:
    """What stands for a shown asset or point in a cursor, 8 bytes."""
    return hashlib.blake2b(name.encode(), digest_size=_DIGEST).digest()


def write_cursor(place: Place, collection: Collection, query: Query) -> str:
    """Text that `read_cursor` takes for this collection and query alone."""
    keys = [key for key in (place.start, place.end) if key]
    flags = _HAS_START * (place.start is not None) | _HAS_END * (place.end is not None)
    head = _HEAD.pack(
        _VERSION, _of(collection), _asked(query), place.depth, flags, len(place.moved)
    )
    packed = b"".join(_KEY.pack(score, point.bytes) for score, point in keys)
    body = head + packed + b"".join([*sorted(place.moved), *sorted(place.shown)])
    return urlsafe_b64encode(body + _checksum(body)).decode().rstrip("=")


def read_cursor(text: str | None, collection: Collection, query: Query) -> Place:
    """The place that a cursor stands for, the beginning for None; raises `InvalidCursor`."""
    if text is None:
        return Place()
    body = _checked(text)
    _, owner, asked, depth, flags, moved = _HEAD.unpack_from(body)
    if owner != _of(collection):
        raise InvalidCursor(
            f"the cursor belongs to another collection than {collection.name!r}, or to one that "
            "was created again: search again without it"
        )
    if asked != _asked(query):
        raise InvalidCursor(
            "the cursor belongs to another query: only limit, explain and the cursor itself may "
            "change"
        )
    return _unpacked(body[_HEAD.size :], depth, flags, moved)


def _unpacked(rest: bytes, depth: int, flags: int, moved: int) -> Place:
    keys: list[Key | None] = []
    for flag in (_HAS_START, _HAS_END):
        if not flags & flag:
            keys.append(None)
            continue
        score, point = _KEY.unpack_from(rest)
        keys.append((score, UUID(bytes=point)))
        rest = rest[_KEY.size :]
    marks = [rest[i : i + _DIGEST] for i in range(0, len(rest), _DIGEST)]
    return Place(keys[0], keys[1], depth, frozenset(marks[moved:]), frozenset(marks[:moved]))


def _checked(text: str) -> bytes:
    try:
        data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        data = b""
    body, checksum = data[:-_DIGEST], data[-_DIGEST:]
    if len(body) < _HEAD.size or body[0] != _VERSION or checksum != _checksum(body):
        raise InvalidCursor("this is not a complete cursor: use `next` of an answer")
    return body


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST, person=b"polylens cursor").digest()


def _of(collection: Collection) -> bytes:
    return hashlib.blake2b(collection.uid.bytes, digest_size=_DIGEST).digest()


def _asked(query: Query) -> bytes:
    """A digest of everything that decides the order of the answer."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    options = (query.group, query.vector, query.candidates, query.rerank, query.words, query.effort)
    tree = query.filter.model_dump_json(by_alias=True) if query.filter else ""
    more = (query.collapse, query.diversity, query.min_relevance, tree)
    digest.update(repr((*options, *more)).encode())
    for part in query.parts:
        for piece in _pieces(part):
            digest.update(len(piece).to_bytes(8) + piece)
    return digest.digest()


def _pieces(part: Part) -> Iterator[bytes]:
    yield repr((part.weight, part.text, part.point)).encode()
    if part.image is not None:
        yield _pixels(part.image)
    if part.vector is not None:
        yield part.vector.tobytes()


def _pixels(image: RGBImage) -> bytes:
    array = np.asarray(image)
    return repr((array.shape, array.dtype.str)).encode() + array.tobytes()
