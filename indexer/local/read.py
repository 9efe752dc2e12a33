"""Reads of a collection, each within one snapshot."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer import payload as payloads
from indexer.base import Hit, Page, Record, SearchResult
from indexer.errors import CollectionDamaged
from indexer.filters import Filter
from indexer.local.approximate import Effort, candidates
from indexer.local.engine import Snapshot
from indexer.local.filter_sql import Matcher, unknown_fields
from indexer.local.options import IndexOptions
from indexer.local.scan import Floats, exact_scores
from indexer.local.segments import Sealed, Wanted
from indexer.local.view import Ints, Rows
from indexer.sql import select_in
from indexer.words import MOST_FOUND

_LIVE = "died IS NULL AND born IS NOT NULL"
_COLUMNS = "rowid, id, asset, payload"
_Row = tuple[int, bytes, str, str]


def get(snapshot: Snapshot, ids: Sequence[UUID], names: Sequence[str]) -> list[Record]:
    """The records of these ids in their order, with the vectors of these names."""
    select = f"{_COLUMNS} FROM point WHERE {_LIVE} AND id IN"
    wanted = dict.fromkeys(point.bytes for point in ids)
    found = {row[1]: row for row in select_in(snapshot.connection, select, wanted)}
    return _records(snapshot, [found[p.bytes] for p in ids if p.bytes in found], names)


def staged(snapshot: Snapshot, asset: str) -> list[Record]:
    """The unpublished points of an asset in id order, without vectors."""
    rows = snapshot.connection.execute(
        f"SELECT {_COLUMNS} FROM point WHERE born IS NULL AND died IS NULL AND asset = ? "  # noqa: S608
        "ORDER BY id",
        (asset,),
    )
    return _records(snapshot, rows.fetchall(), ())


def count(snapshot: Snapshot, tree: Filter | None) -> int:
    rows = snapshot.view.points
    return int(np.count_nonzero(rows.alive if tree is None else _mask(snapshot, rows, tree)))


def scroll(
    snapshot: Snapshot, tree: Filter | None, limit: int, after: UUID | None, names: Sequence[str]
) -> Page:
    first = b"" if after is None else after.bytes
    wanted = limit + 1
    if tree is None:
        rows = _in_order(snapshot.connection, first, wanted)
    else:
        rows = _matching_in_order(snapshot, tree, first, wanted)
    records = _records(snapshot, rows[:limit], names)
    return Page(records, records[-1].id if len(rows) > limit else None)


def search(
    snapshot: Snapshot,
    name: str,
    query: Floats,
    tree: Filter | None,
    limit: int,
    effort: Effort,
    options: IndexOptions,
) -> SearchResult:
    """`query` is float32 `[dim]` of unit norm."""
    vectors, sealed = snapshot.view.vectors[name], snapshot.sealed[name]
    wanted = sealed.alive if tree is None else _wanted(snapshot, sealed, tree)
    found = candidates(sealed, vectors, query, wanted, limit, effort, options)
    scores = exact_scores(vectors, query, found.positions)
    hits = _hits(snapshot.connection, vectors.rows.points[found.positions], scores, limit)
    missing = unknown_fields(snapshot.connection, tree) if tree else []
    warnings = [f"no point has a field {key!r}" for key in missing]
    return SearchResult(hits, warnings, found.exact, found.way)


def find_text(
    snapshot: Snapshot, words: Sequence[str], tree: Filter | None, limit: int
) -> list[Hit]:
    """The points that have all the words, which are of `indexer.words`."""
    if not words:
        return []
    # Words hold letters, numbers and marks alone, so nothing in them means anything to FTS5.
    found = snapshot.connection.execute(
        "SELECT rowid, size FROM words WHERE words MATCH ? LIMIT ?",
        (" AND ".join(f'"{word}"' for word in words), MOST_FOUND if tree is None else -1),
    ).fetchall()
    points, sizes = np.array(found, np.int64).reshape(-1, 2).T
    if tree is not None:
        rows = snapshot.view.points
        positions, here = rows.find(points)
        kept = here & _mask(snapshot, rows, tree)[positions] if len(points) else here
        points, sizes = points[kept], sizes[kept]
    return _hits(snapshot.connection, points, len(words) / sizes, limit)


def _wanted(snapshot: Snapshot, sealed: Sealed, tree: Filter) -> Wanted:
    key = tree.model_dump_json(by_alias=True)
    return sealed.remembered(key) or sealed.remember(key, _mask(snapshot, sealed.rows, tree))


def _mask(snapshot: Snapshot, rows: Rows, tree: Filter) -> NDArray[np.bool_]:
    return Matcher(snapshot.connection, rows, snapshot.view.cache).mask(tree)


def _hits(
    connection: sqlite3.Connection, points: Ints, scores: NDArray[np.float64], limit: int
) -> list[Hit]:
    order = np.argsort(-scores, kind="stable")
    if len(order) > limit:
        order = order[scores[order] >= scores[order[limit - 1]]]
    numbers = points[order].tolist()
    rows = _by_row(connection, numbers)
    found = sorted(
        (-score, *rows[number][1:])
        for score, number in zip(scores[order].tolist(), numbers, strict=True)
    )
    return [
        Hit(_id(point), asset, -negated, payloads.decode(text))
        for negated, point, asset, text in found[:limit]
    ]


def _id(point: bytes) -> UUID:
    try:
        return UUID(bytes=point)
    except (ValueError, TypeError) as error:
        raise CollectionDamaged(f"a stored id is not a UUID: {point!r}; run verify") from error


def _column(connection: sqlite3.Connection, name: str, points: Ints) -> dict[int, bytes]:
    return dict(select_in(connection, f"rowid, {name} FROM point WHERE rowid IN", points.tolist()))


def _by_row(connection: sqlite3.Connection, points: Iterable[int]) -> dict[int, _Row]:
    wanted = list(points)
    found = select_in(connection, f"{_COLUMNS} FROM point WHERE rowid IN", wanted)
    rows = {row[0]: row for row in found}
    for point in wanted:
        if point not in rows:
            raise CollectionDamaged(f"row {point} of the table point is missing; run verify")
    return rows


def _in_order(connection: sqlite3.Connection, after: bytes, limit: int) -> list[_Row]:
    sql = f"SELECT {_COLUMNS} FROM point WHERE {_LIVE} AND id > ? ORDER BY id LIMIT ?"  # noqa: S608
    return connection.execute(sql, (after, limit)).fetchall()


def _matching_in_order(snapshot: Snapshot, tree: Filter, after: bytes, limit: int) -> list[_Row]:
    rows = snapshot.view.points
    mask = _mask(snapshot, rows, tree)
    matching = rows.points[mask]
    # Either look up every match, or walk all points until there are enough: whichever reads less.
    if len(matching) ** 2 <= limit * len(mask):
        ids = _column(snapshot.connection, "id", matching)
        chosen = sorted((point, row) for row, point in ids.items() if point > after)[:limit]
        numbers = [row for _, row in chosen]
    else:
        numbers = _walk(snapshot.connection, rows, mask, after, limit)
    found = _by_row(snapshot.connection, numbers)
    return [found[number] for number in numbers]


def _walk(
    connection: sqlite3.Connection, rows: Rows, mask: NDArray[np.bool_], after: bytes, limit: int
) -> list[int]:
    numbers: list[int] = []
    cursor = connection.execute(
        f"SELECT rowid FROM point WHERE {_LIVE} AND id > ? ORDER BY id",  # noqa: S608
        (after,),
    )
    while len(numbers) < limit and (part := cursor.fetchmany(1000)):
        points = np.array(part, np.int64)[:, 0]
        positions, here = rows.find(points)
        numbers += points[here & mask[positions]].tolist()
    cursor.close()
    return numbers[:limit]


def _records(snapshot: Snapshot, rows: Sequence[_Row], names: Sequence[str]) -> list[Record]:
    points = np.array([row[0] for row in rows], np.int64)
    vectors: list[dict[str, Floats]] = [{} for _ in rows]
    for name in names:
        for place, vector in _stored(snapshot, name, points):
            vectors[place][name] = vector
    return [
        Record(_id(point), asset, payloads.decode(text), found)
        for (_, point, asset, text), found in zip(rows, vectors, strict=True)
    ]


def _stored(snapshot: Snapshot, name: str, points: Ints) -> Iterator[tuple[int, Floats]]:
    vectors = snapshot.view.vectors[name]
    positions, here = vectors.rows.find(points)
    if here.any():
        yield from zip(np.flatnonzero(here).tolist(), vectors.gather(positions[here]), strict=True)
