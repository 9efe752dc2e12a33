"""Points at the door: checked as a whole and normalised before anything is stored."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import payload as payloads
from indexer.base import AssetWrite, Point, Schema
from indexer.errors import InvalidPoint
from indexer.grammar import described, is_unicode
from indexer.ledger import STATUSES, LedgerRow
from indexer.words import Words, words_of

MAX_ASSET_BYTES = 65_536
"""Of an asset's URI; the longest path of Linux, percent-encoded, has a fifth of it."""
_UNIT_TOLERANCE = 5e-7
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Prepared:
    """A batch that can be stored.

    `words` are what each is found by. `vectors` maps vector name -> (positions of the points that
    have it, int64 `[m]`; their unit vectors, float32 `[m, dim]`).
    """

    ids: list[bytes]
    assets: list[str]
    texts: list[str]
    entries: list[set[payloads.Entry]]
    words: list[Words]
    vectors: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float32]]]


def prepare(points: Sequence[Point], schema: Schema) -> Prepared:
    """Raises `InvalidPoint` if any of the points cannot be stored."""
    _check_ids(points)
    return _described(points, _vectors(points, schema))


def _described(
    points: Sequence[Point], vectors: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float32]]]
) -> Prepared:
    batch = Prepared([], [], [], [], [], vectors)
    for point in points:
        check_asset(point.asset)
        batch.ids.append(point.id.bytes)
        batch.assets.append(point.asset)
        batch.texts.append(payloads.encode(point.payload, f"point {point.id}"))
        batch.entries.append(payloads.entries(point.payload))
        batch.words.append(words_of(point.payload))
    return batch


def prepare_writes(assets: Sequence[AssetWrite], schema: Schema) -> tuple[Prepared, Prepared]:
    """All points of the assets, those whose vectors are staged apart.

    Raises `InvalidPoint` also for a row that cannot be stored.
    """
    _check_writes(assets)
    points = [point for write in assets for point in write.points]
    _check_ids(points)
    whole = [point for point in points if point.vectors]
    staged = [point for point in points if not point.vectors]
    return prepare(whole, schema), _described(staged, {})


def missing_vectors(point: UUID) -> InvalidPoint:
    """What to raise for a point without vectors of which none is staged."""
    return InvalidPoint(f"point {point} has no vector, and none is staged for it")


def prepare_vectors(
    vectors: Mapping[UUID, Mapping[str, NDArray[np.float32]]], schema: Schema
) -> Prepared:
    """Vectors for points that are there; raises `InvalidPoint` if any of them cannot be stored."""
    if not isinstance(vectors, Mapping):
        raise InvalidPoint(f"vectors must map ids to vectors by name; got {described(vectors)}")
    return prepare([Point(point, "-", named) for point, named in vectors.items()], schema)


def check_rows(rows: Sequence[LedgerRow]) -> None:
    """Raises `InvalidPoint` for a row that cannot be stored."""
    _check_kinds(rows, LedgerRow)
    for row in rows:
        check_asset(row.asset)
        if row.status not in STATUSES:
            raise InvalidPoint(f"ledger row of {row.asset!r}: there is no status {row.status!r}")
        for name, kind in _FIELDS.items():
            value = getattr(row, name)
            if not _FITS.get(kind, _is_text)(value):
                raise InvalidPoint(
                    f"ledger row of {row.asset!r}: {name} cannot be {described(value)}"
                )


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows `[n, dim]`, finite and not zero, scaled to unit norm in float32.

    Rows that are of unit norm already, to float32's precision, stay as they are bit for bit, so
    that what was read from one collection can be written to another.
    """
    # Scaled first, or the squares of very large or small numbers would leave float32's range.
    scaled = rows / np.abs(rows).max(axis=1, keepdims=True)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(np.abs(norms - 1) <= _UNIT_TOLERANCE, rows, scaled)


def check_asset(asset: object) -> None:
    """Raises `InvalidPoint` unless it is text that can be stored."""
    if not isinstance(asset, str) or not asset.strip():
        raise InvalidPoint(f"an asset must be a non-empty URI; got {described(asset)}")
    try:
        size = len(asset.encode())
    except UnicodeEncodeError:
        message = f"the asset {described(asset)} is not valid Unicode; percent-encode it"
        raise InvalidPoint(message) from None
    if size > MAX_ASSET_BYTES:
        message = f"the asset {described(asset)} has {size} bytes, more than {MAX_ASSET_BYTES}"
        raise InvalidPoint(message)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _INT64


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_text(value: object) -> bool:
    """Whether it can be written as UTF-8."""
    return isinstance(value, str) and is_unicode(value)


_FIELDS = {field.name: field.type for field in fields(LedgerRow)}
_FITS: dict[object, Callable[[object], bool]] = {int: _is_integer, float: _is_number}


def _check_kinds(values: object, kind: type) -> None:
    """Raises `InvalidPoint` unless they are of that kind, in a list or the like."""
    if isinstance(values, str | bytes) or not isinstance(values, Collection):
        raise InvalidPoint(f"give a list of {kind.__name__}; got {described(values)}")
    for value in values:
        if not isinstance(value, kind):
            raise InvalidPoint(f"each must be a {kind.__name__}; got {described(value)}")


def _check_ids(points: Sequence[Point]) -> None:
    seen: set[UUID] = set()
    _check_kinds(points, Point)
    for point in points:
        if not isinstance(point.id, UUID):
            raise InvalidPoint(f"a point's id must be a UUID; got {described(point.id)}")
        if point.id in seen:
            raise InvalidPoint(f"point {point.id} is in the batch twice")
        seen.add(point.id)


def _vectors(
    points: Sequence[Point], schema: Schema
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]]:
    found: dict[str, tuple[list[int], list[NDArray[np.float32]]]] = {}
    for position, point in enumerate(points):
        if not isinstance(point.vectors, Mapping):
            kind = type(point.vectors).__name__
            raise InvalidPoint(f"point {point.id}: vectors must map names to arrays, not be {kind}")
        if not point.vectors:
            raise InvalidPoint(f"point {point.id} has no vector")
        for name, vector in point.vectors.items():
            if name not in schema.vectors:
                known = ", ".join(schema.vectors)
                raise InvalidPoint(f"point {point.id}: no vector {name!r}; the names are: {known}")
            rows = found.setdefault(name, ([], []))
            rows[0].append(position)
            rows[1].append(_vector(vector, schema.vectors[name], f"point {point.id}, {name!r}"))
    return {
        name: (np.array(positions, np.int64), unit(np.stack(rows)))
        for name, (positions, rows) in found.items()
    }


def _vector(vector: object, dim: int, owner: str) -> NDArray[np.float32]:
    if not isinstance(vector, np.ndarray) or vector.dtype.kind != "f":
        kind = vector.dtype if isinstance(vector, np.ndarray) else type(vector).__name__
        raise InvalidPoint(f"{owner}: a vector must be an array of floats, not {kind}")
    if vector.shape != (dim,):
        raise InvalidPoint(f"{owner}: the vector has shape {vector.shape}, not ({dim},)")
    with np.errstate(over="ignore"):
        vector = vector.astype(np.float32)
    if not np.isfinite(vector).all():
        raise InvalidPoint(f"{owner}: the vector has NaN or infinite values")
    if not vector.any():
        raise InvalidPoint(f"{owner}: the vector is zero, so it has no direction")
    return vector


def _check_writes(assets: Sequence[AssetWrite]) -> None:
    seen: set[str] = set()
    _check_kinds(assets, AssetWrite)
    for write in assets:
        check_asset(write.asset)
        _check_kinds(write.points, Point)
        check_rows([write.row])
        if write.asset in seen:
            raise InvalidPoint(f"asset {write.asset!r} is in the batch twice")
        seen.add(write.asset)
        if write.row.asset != write.asset:
            raise InvalidPoint(f"the ledger row of {write.asset!r} is for {write.row.asset!r}")
        for point in write.points:
            if point.asset != write.asset:
                raise InvalidPoint(
                    f"point {point.id} belongs to {point.asset!r}, not {write.asset!r}"
                )
