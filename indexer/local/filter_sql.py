"""Filters over a collection: conditions are looked up in SQL, the tree is combined as bit masks."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from itertools import groupby

import numpy as np

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
    RangeCondition,
    payload_keys,
)
from indexer.local.geo_sql import in_area
from indexer.local.view import Bools, Ints, LeafCache, Rows, numbers_in
from indexer.payload import microseconds, scalar_entry
from indexer.sql import select_in

Lookup = MatchCondition | RangeCondition | GeoCondition | IsEmpty
Query = tuple[str, list[object]]

_ASSETS = (
    "(SELECT 'asset' AS key, 's' AS type, asset AS value, rowid AS point "
    "FROM point WHERE died IS NULL)"
)
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Matcher:
    """Evaluates filters on what a connection's open transaction sees, over the rows given."""

    def __init__(
        self, connection: sqlite3.Connection, rows: Rows, cache: LeafCache | None = None
    ) -> None:
        self._connection = connection
        self._rows = rows
        self._cache = cache

    def mask(self, tree: Filter) -> Bools:
        """Which rows are visible and match, bool `[n]`."""
        return self._filter(tree) & self._rows.alive

    def _filter(self, tree: Filter) -> Bools:
        parts = [self._condition(condition) for condition in tree.must]
        parts += [~self._condition(condition) for condition in tree.must_not]
        if tree.should:
            parts.append(reduce(np.logical_or, map(self._condition, tree.should)))
        if tree.min_should:
            masks = map(self._condition, tree.min_should.conditions)
            count = sum((mask.astype(np.int32) for mask in masks), self._none().astype(np.int32))
            parts.append(count >= tree.min_should.min_count)
        return reduce(np.logical_and, parts) if parts else ~self._none()

    def _condition(self, condition: Condition) -> Bools:
        if isinstance(condition, Filter):
            return self._filter(condition)
        mask = self._rows.mask(self._leaf(condition))
        return ~mask if isinstance(condition, IsEmpty) else mask

    def _none(self) -> Bools:
        return np.zeros(len(self._rows.points), np.bool_)

    def _leaf(self, leaf: Lookup | HasId) -> Ints:
        """The rows that the condition looks up; for `is_empty` those that are not empty."""
        if isinstance(leaf, HasId):
            return _of_ids(self._connection, (point.bytes for point in leaf.has_id))
        key = leaf.model_dump_json(by_alias=True)
        found = self._cache.found.get(key) if self._cache else None
        if found is None:
            found = _looked_up(self._connection, leaf)
            if self._cache:
                self._cache.put(key, found)
        return found


def unknown_fields(connection: sqlite3.Connection, tree: Filter) -> list[str]:
    """The keys in a filter that no point has, in their order."""
    known = "SELECT 1 FROM kv WHERE key = ? LIMIT 1"
    return [key for key in payload_keys(tree) if not _exists(connection, known, key)]


def _exists(connection: sqlite3.Connection, sql: str, key: str) -> bool:
    return connection.execute(sql, (key,)).fetchone() is not None


def _of_ids(connection: sqlite3.Connection, ids: Iterable[bytes]) -> Ints:
    where = "died IS NULL AND born IS NOT NULL AND id IN"
    found = select_in(connection, f"rowid FROM point WHERE {where}", ids)
    return np.array([row for (row,) in found], np.int64)


def _looked_up(connection: sqlite3.Connection, leaf: Lookup) -> Ints:
    if isinstance(leaf, GeoCondition):
        return in_area(connection, leaf)
    return _points(connection, _query(leaf))


def _points(connection: sqlite3.Connection, query: Query) -> Ints:
    # One long text is three times as fast to fetch as a row for each number.
    sql = f"SELECT group_concat(point) FROM ({query[0]})"  # noqa: S608 - built here from constants
    return numbers_in(connection.execute(sql, query[1]).fetchone()[0])


def _query(leaf: MatchCondition | RangeCondition | IsEmpty) -> Query:
    if isinstance(leaf, IsEmpty):
        key = leaf.is_empty.key
        return f"SELECT DISTINCT point FROM {_entries(key)} WHERE key = ?", [key]  # noqa: S608
    if isinstance(leaf, RangeCondition):
        return _range_query(leaf)
    return _match_query(leaf.key, leaf.match)


def _entries(key: str) -> str:
    """Where to look a key up: `asset` is a column of every point, the rest is payload."""
    return _ASSETS if key == "asset" else "kv"


def _entry(key: str, value: bool | int | str) -> tuple[str, object]:
    """Assets are compared whole; long text in a payload by its hash."""
    if key == "asset" and isinstance(value, str):
        return "s", value
    return scalar_entry(value)


def _match_query(key: str, match: MatchValue | MatchAny | MatchExcept) -> Query:
    if isinstance(match, MatchValue):
        sql = f"SELECT point FROM {_entries(key)} WHERE key = ? AND type = ? AND value = ?"  # noqa: S608
        return sql, [key, *_entry(key, match.value)]
    return _any_query(key, match) if isinstance(match, MatchAny) else _except_query(key, match)


def _any_query(key: str, match: MatchAny) -> Query:
    select = f"SELECT point FROM {_entries(key)} WHERE key = ? AND type = ? AND value IN"  # noqa: S608
    parts = [(select, [key, kind, *values]) for kind, values in _by_type(key, match.any)]
    if not parts:
        return "SELECT point FROM kv WHERE 0", []
    sql = " UNION ALL ".join(f"{sql} ({_marks(values[2:])})" for sql, values in parts)
    return sql, [value for _, values in parts for value in values]


def _except_query(key: str, match: MatchExcept) -> Query:
    sql = (
        f"SELECT DISTINCT point FROM {_entries(key)} WHERE key = ? AND type NOT IN ('g', 'n', 't')"  # noqa: S608
    )
    parameters: list[object] = [key]
    for kind, values in _by_type(key, match.except_):
        sql += f" AND NOT (type = ? AND value IN ({_marks(values)}))"
        parameters += [kind, *values]
    return sql, parameters


def _range_query(leaf: RangeCondition) -> Query:
    kinds = "t" if isinstance(leaf.range, DatetimeRange) else "if"
    bounds = [(_OPERATORS[name], _bound(value)) for name, value in leaf.range if value is not None]
    sql = f"SELECT point FROM {_entries(leaf.key)} WHERE key = ? AND type = ?"  # noqa: S608
    sql += "".join(f" AND value {operator} ?" for operator, _ in bounds)
    values = [value for _, value in bounds]
    parameters = [part for kind in kinds for part in (leaf.key, kind, *values)]
    return " UNION ALL ".join([sql] * len(kinds)), parameters


def _bound(value: datetime | float) -> object:
    if isinstance(value, datetime):
        return microseconds(value)
    return scalar_entry(value)[1]


def _by_type(key: str, values: Iterable[bool | int | str]) -> list[tuple[str, list[object]]]:
    found = sorted((_entry(key, value) for value in values), key=lambda entry: entry[0])
    grouped = groupby(found, key=lambda entry: entry[0])
    return [(kind, [value for _, value in group]) for kind, group in grouped]


def _marks(values: list[object]) -> str:
    return ",".join("?" * len(values))


def visible_rows(connection: sqlite3.Connection) -> Rows:
    """All points that the connection sees, those its own transaction wrote included."""
    sql = "SELECT rowid AS point FROM point WHERE died IS NULL AND born IS NOT NULL"
    points = np.sort(_points(connection, (sql, [])))
    return Rows(points, np.ones(len(points), np.bool_))
