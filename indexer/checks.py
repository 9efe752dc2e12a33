"""Validate names, schemas, queries and limits the same way for every engine."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.base import Schema
from indexer.errors import (
    CollectionExists,
    InvalidFilter,
    InvalidName,
    InvalidQuery,
    SchemaMismatch,
    UnknownAlias,
    UnknownCollection,
    Unsupported,
)
from indexer.filters import Filter
from indexer.grammar import described, is_unicode
from indexer.ledger import STATUSES
from indexer.points import unit

MAX_LIMIT = 10_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VECTOR_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ADDRESS = re.compile(r"[\w.-]*:\d+(/.*)?")
_MAX_DIM = 65_536


def is_name(name: object) -> bool:
    """Whether it can name a collection."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises `InvalidName` unless it can name a collection."""
    if not is_name(name):
        raise InvalidName(
            f"{name!r} cannot name a collection: use 1 to 64 of a-z, 0-9, '-' and '_', beginning "
            "with a letter or a digit"
        )


def check_folder(name: str) -> None:
    """Raises `Unsupported` where a server is meant, which without its scheme would be a folder."""
    if _ADDRESS.fullmatch(name):
        raise Unsupported(
            f"{name!r} is not a URL: write http://{name} (or https://) for a server, "
            f"./{name} for a folder"
        )


def refuse_alias(name: str, target: str | None) -> None:
    """Raises `UnknownCollection` where a name is an alias of `target` instead of a collection."""
    if target is not None:
        raise UnknownCollection(f"{name!r} is an alias of collection {target!r}; name that one")


def taken(name: str, target: str | None) -> CollectionExists:
    """The error that a name is taken, by a collection or by an alias of `target`."""
    if target is None:
        return CollectionExists(f"collection {name!r} exists already: choose another name")
    return CollectionExists(f"{name!r} is an alias of collection {target!r}: choose another name")


def unknown_alias(alias: str, known: Iterable[str]) -> UnknownAlias:
    """The error that there is no such alias."""
    return UnknownAlias(f"there is no alias {alias!r}; there are: {', '.join(known) or 'none'}")


def check_schema(schema: Schema) -> None:
    """Raises `InvalidName` unless its vectors have names and dimensions that can be stored."""
    if not isinstance(schema, Schema):
        raise InvalidName(f"a schema must be a Schema; got {described(schema)}")
    if not schema.vectors:
        raise InvalidName("a collection needs at least one vector name")
    _check_origin(schema)
    for name, dim in schema.vectors.items():
        if not isinstance(name, str) or not _VECTOR_NAME.fullmatch(name):
            raise InvalidName(
                f"{name!r} cannot name a vector: use 1 to 32 of a-z, 0-9, '-' and '_'"
            )
        if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= _MAX_DIM:
            raise InvalidName(
                f"vector {name!r}: the dimension must be 1 to {_MAX_DIM}; got {dim!r}"
            )


def _check_origin(schema: Schema) -> None:
    said = (schema.encoder, *schema.fingerprint, *schema.fingerprint.values())
    if not all(isinstance(text, str) and is_unicode(text) for text in said):
        raise InvalidName("an encoder's name and fingerprint must be texts of valid Unicode")


def check_same(source: Schema, target: Schema, name: str) -> None:
    """Raises `SchemaMismatch` where the collection `name` could not hold vectors of `source`.

    Fingerprints are compared in the parts that both have.
    """
    if dict(source.vectors) != dict(target.vectors):
        raise SchemaMismatch(
            f"collection {name!r} has vectors {_dims(target)}; these are {_dims(source)}"
        )
    common = source.fingerprint.keys() & target.fingerprint.keys()
    differing = sorted(
        part for part in common if source.fingerprint[part] != target.fingerprint[part]
    )
    if differing:
        raise SchemaMismatch(
            f"collection {name!r} was made by another encoder (its {', '.join(differing)} part "
            "differs), so distances would be meaningless: choose another name"
        )


def _dims(schema: Schema) -> str:
    return ", ".join(f"{name} {dim}" for name, dim in schema.vectors.items())


def widened(
    schema: Schema, name: str, dim: int, encoder: str | None, fingerprint: Mapping[str, str] | None
) -> Schema:
    """The schema with a vector name more; raises `InvalidName`, also for another dimension."""
    if schema.vectors.get(name, dim) != dim:
        raise InvalidName(f"vector {name!r} has dimension {schema.vectors[name]} already")
    wider = replace(
        schema,
        vectors={**schema.vectors, name: dim},
        encoder=schema.encoder if encoder is None else encoder,
        fingerprint=schema.fingerprint if fingerprint is None else fingerprint,
    )
    check_schema(wider)
    return wider


def checked_query(query: object, schema: Schema, name: str) -> NDArray[np.float32]:
    """The query as a unit float32 `[dim]`; raises `InvalidQuery`."""
    check_names([name], schema)
    dim = schema.vectors[name]
    if not isinstance(query, np.ndarray) or query.dtype.kind != "f" or query.shape != (dim,):
        shape = getattr(query, "shape", type(query).__name__)
        raise InvalidQuery(f"the query must be an array of {dim} floats for {name!r}; got {shape}")
    with np.errstate(over="ignore"):
        vector = query.astype(np.float32)
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidQuery("the query vector is zero, or has NaN or infinite values")
    row: NDArray[np.float32] = unit(vector[None])[0]
    return row


def check_names(names: Iterable[str], schema: Schema) -> None:
    """Raises `InvalidQuery` for a vector name that the collection does not have."""
    _check_texts(names, "vector names")
    for name in names:
        if name not in schema.vectors:
            known = ", ".join(schema.vectors)
            raise InvalidQuery(f"there is no vector {name!r}; the names are: {known}")


def check_ids(ids: object) -> None:
    """Raises `InvalidQuery` unless they are UUIDs, in a list or the like."""
    if isinstance(ids, str | bytes) or not isinstance(ids, Collection):
        raise InvalidQuery(f"ids must be a list of UUIDs; got {described(ids)}")
    for point in ids:
        if not isinstance(point, UUID):
            raise InvalidQuery(f"a point's id must be a UUID; got {described(point)}")


def check_filter(tree: object) -> None:
    """Raises `InvalidFilter` unless it is one, or None."""
    if tree is not None and not isinstance(tree, Filter):
        raise InvalidFilter(f"a filter must be made by Filter.parse; got {described(tree)}")


def check_selector(selector: object) -> None:
    """Raises `InvalidQuery` unless it is a filter, or ids."""
    if not isinstance(selector, Filter):
        check_ids(selector)


def check_keys(keys: object) -> None:
    """Raises `InvalidQuery` unless they are texts, in a list or the like."""
    _check_texts(keys, "keys")


def check_assets(assets: object) -> None:
    """Raises `InvalidQuery` unless they could be URIs, in a list or the like."""
    _check_texts(assets, "assets")


def check_hashes(hashes: object) -> None:
    """Raises `InvalidQuery` unless they could be content hashes, in a list or the like."""
    _check_texts(hashes, "content hashes")


def check_status(status: object) -> None:
    """Raises `InvalidQuery` unless it is one of the ledger's, or None."""
    if status is not None and status not in STATUSES:
        known = ", ".join(STATUSES)
        raise InvalidQuery(f"there is no status {described(status)}; there are: {known}")


def _check_texts(values: object, what: str) -> None:
    if isinstance(values, str | bytes) or not isinstance(values, Collection):
        raise InvalidQuery(f"{what} must be a list of texts; got {described(values)}")
    for value in values:
        if not isinstance(value, str):
            raise InvalidQuery(f"{what} must be texts; got {described(value)}")
        if not is_unicode(value):
            raise InvalidQuery(f"{what} must be valid Unicode; got {described(value)}")


def check_text(text: object) -> None:
    """Raises `InvalidQuery` unless words can be looked for in it."""
    if not isinstance(text, str):
        raise InvalidQuery(f"what to find must be a text; got {described(text)}")


def check_limit(limit: int) -> None:
    """Raises `InvalidQuery` unless it is from 1 to `MAX_LIMIT`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidQuery(f"the limit must be from 1 to {MAX_LIMIT}; got {limit!r}")


def check_effort(effort: float | None, recall: float | None) -> None:
    """Raises `InvalidQuery` unless at most one of them is given, from 0 to 1."""
    if effort is not None and recall is not None:
        raise InvalidQuery("give either an effort or a recall")
    for name, value in (("effort", effort), ("recall", recall)):
        known = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        if not known or (value is not None and not 0 <= value <= 1):
            raise InvalidQuery(f"{name} must be from 0 to 1; got {value!r}")
