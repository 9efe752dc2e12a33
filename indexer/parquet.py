"""Collections as Parquet files that other programs can read: export and import.

An export is a folder. `points.parquet` has `id`, `asset`, `payload` (JSON) and a column
`vector_NAME` for each vector name: a fixed-size list of float32, null where a point lacks it.
`ledger.parquet` has a row for each asset. The metadata key `polylens` says what wrote them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.base import Collection, Point, Record, Schema, Store
from indexer.checks import check_name, check_schema
from indexer.errors import (
    InvalidArchive,
    InvalidName,
    InvalidPoint,
    NewerFormat,
    StorageError,
    Unsupported,
)
from indexer.ledger import LedgerRow
from indexer.local.database import translated
from indexer.local.drafts import draft
from indexer.local.filesystem import sync, sync_folder
from indexer.migrate import PAGE, batches, open_matching, pages

FORMAT = 1
POINTS, LEDGER = "points.parquet", "ledger.parquet"
FILES = (POINTS, LEDGER)
_KEY = b"polylens"
_FIELDS = {field.name: field.type for field in fields(LedgerRow)}
_TEXTS = ("id", "asset", "payload")

Arrow = Any
"""What pyarrow makes; it has no types of its own."""


@dataclass(frozen=True)
class Exported:
    """What an export holds, or an import took over: `points`, and ledger rows of `assets`."""

    collection: str
    points: int
    assets: int


def export_collection(collection: Collection, target: Path) -> Exported:
    """Write a collection as the folder `target`, in pages; searches and writes go on meanwhile.

    It is no single state: of what is written meanwhile a part may be in it. The ledger is read
    first, so that no asset counts as ingested whose points came too late. Raises `Unsupported`
    without pyarrow, and `StorageError`.
    """
    arrow = _arrow()
    schema = collection.schema
    metadata = {_KEY: json.dumps(_described(collection)).encode()}
    rows = arrow.schema(_ledger_columns(arrow), metadata=metadata)
    columns = arrow.schema(_point_columns(arrow, schema), metadata=metadata)
    with translated(f"write the export {target}"):
        if target.exists():
            raise StorageError(f"{target} exists already: choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft(target.parent, target.name) as place:
            ledger = batches(collection.ledger.rows(), PAGE)
            assets = _write(place / LEDGER, rows, (_ledger_batch(arrow, b, rows) for b in ledger))
            found = pages(collection, list(schema.vectors))
            points = _write(
                place / POINTS, columns, (_point_batch(arrow, p, schema, columns) for p in found)
            )
            sync_folder(place)
            place.rename(target)
            sync_folder(target.parent)
    return Exported(collection.name, points, assets)


def read_export(source: Path) -> Exported:
    """What an export holds, by its files' own account; raises as `import_collection`."""
    with _opened(source / POINTS) as points, _opened(source / LEDGER) as ledger:
        name, schema = _description(points, source.name)
        _check_columns(points, _point_columns(_arrow(), schema), source.name)
        _check_columns(ledger, _ledger_columns(_arrow()), source.name)
        return Exported(name, points.metadata.num_rows, ledger.metadata.num_rows)


def import_collection(store: Store, source: Path, name: str | None = None) -> Exported:
    """Make a collection of an export, or add it to one of the same encoder and dimensions.

    Points whose id exists are replaced, so repeating it is harmless. Raises `Unsupported` without
    pyarrow, `InvalidArchive`, `NewerFormat`, `SchemaMismatch`, and what the store raises; a
    collection that was made for an export that turned out to be damaged is removed.
    """
    with _opened(source / POINTS) as file, _opened(source / LEDGER):
        kept, schema = _description(file, source.name)
    collection, made = open_matching(store, name or kept, schema)
    try:
        return _take_over(source, collection)
    except (InvalidArchive, InvalidPoint):
        if made:
            store.drop(collection.name)
        raise


def _take_over(source: Path, collection: Collection) -> Exported:
    points = 0
    with _opened(source / POINTS) as file, _opened(source / LEDGER) as ledger:
        schema = _description(file, source.name)[1]
        for batch in _batches(file, _point_columns(_arrow(), schema), source.name):
            collection.upsert(_points(batch, schema, source.name))
            points += len(batch)
        assets = _import_ledger(ledger, collection, source.name)
    return Exported(collection.name, points, assets)


def _import_ledger(file: Arrow, collection: Collection, name: str) -> int:
    """At last, so that no asset counts as ingested whose points are not there."""
    count = 0
    for batch in _batches(file, _ledger_columns(_arrow()), name):
        collection.ledger.record([_row(name, values) for values in batch.to_pylist()])
        count += len(batch)
    return count


def _arrow() -> Arrow:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Unsupported("Parquet needs pyarrow: pip install 'polylens[parquet]'") from error
    return pyarrow


def _described(collection: Collection) -> dict[str, Any]:
    schema = collection.schema
    return {
        "format": FORMAT,
        "name": collection.name,
        "vectors": dict(schema.vectors),
        "encoder": schema.encoder,
        "fingerprint": dict(schema.fingerprint),
    }


def _ledger_columns(arrow: Arrow) -> list[tuple[str, Arrow]]:
    kinds: dict[Any, Arrow] = {int: arrow.int64(), float: arrow.float64()}
    return [(name, kinds.get(kind, arrow.string())) for name, kind in _FIELDS.items()]


def _point_columns(arrow: Arrow, schema: Schema) -> list[tuple[str, Arrow]]:
    texts = [(name, arrow.string()) for name in _TEXTS]
    vectors = [
        (f"vector_{name}", arrow.list_(arrow.float32(), dim))
        for name, dim in schema.vectors.items()
    ]
    return texts + vectors


def _write(path: Path, columns: Arrow, found: Iterable[Arrow]) -> int:
    """Write batches, one after another, and sync the file; how many rows there were."""
    from pyarrow import parquet

    count = 0
    with path.open("xb") as out:
        with parquet.ParquetWriter(out, columns, compression="zstd") as writer:
            for batch in found:
                writer.write_batch(batch)
                count += len(batch)
        out.flush()
        sync(out.fileno())
    return count


def _ledger_batch(arrow: Arrow, rows: list[LedgerRow], columns: Arrow) -> Arrow:
    values = [[getattr(row, name) for row in rows] for name in columns.names]
    return arrow.record_batch(values, schema=columns)


def _point_batch(arrow: Arrow, page: list[Record], schema: Schema, columns: Arrow) -> Arrow:
    texts: list[Arrow] = [
        [str(record.id) for record in page],
        [record.asset for record in page],
        [json.dumps(record.payload, ensure_ascii=False) for record in page],
    ]
    vectors = [_vector_column(arrow, page, name, dim) for name, dim in schema.vectors.items()]
    return arrow.record_batch([*texts, *vectors], schema=columns)


def _vector_column(arrow: Arrow, page: list[Record], name: str, dim: int) -> Arrow:
    empty = np.zeros(dim, np.float32)
    rows = np.stack([record.vectors.get(name, empty) for record in page])
    lacking = arrow.array([name not in record.vectors for record in page])
    return arrow.FixedSizeListArray.from_arrays(rows.reshape(-1), dim, mask=lacking)


@contextmanager
def _opened(path: Path) -> Iterator[Arrow]:
    """A Parquet file; what cannot be read of it becomes `InvalidArchive`."""
    arrow = _arrow()
    with translated(f"read {path}"), path.open("rb") as content:
        try:
            with arrow.parquet.ParquetFile(content) as file:
                yield file
        except (arrow.ArrowException, OSError) as error:
            words = " ".join(str(error).split())
            raise InvalidArchive(
                f"{path.name} is not a Parquet file, or is damaged: {words}"
            ) from error


def _description(file: Arrow, name: str) -> tuple[str, Schema]:
    """The name and the schema of the collection that was exported."""
    try:
        found = json.loads((file.schema_arrow.metadata or {})[_KEY])
        if found["format"] > FORMAT:
            raise NewerFormat(
                f"{name} has export format {found['format']}; this version of polylens reads up "
                f"to {FORMAT}. Upgrade polylens."
            )
        schema = Schema(dict(found["vectors"]), str(found["encoder"]), dict(found["fingerprint"]))
        check_schema(schema)
        check_name(found["name"])
        return found["name"], schema
    except (KeyError, ValueError, TypeError, InvalidName) as error:
        raise InvalidArchive(f"{name} is not a polylens export: {error!r}") from error


def _batches(file: Arrow, columns: list[tuple[str, Arrow]], name: str) -> Iterator[Arrow]:
    """The rows of a file, which must have these columns, in batches."""
    _check_columns(file, columns, name)
    yield from file.iter_batches(PAGE, columns=[column for column, _ in columns])


def _check_columns(file: Arrow, columns: list[tuple[str, Arrow]], name: str) -> None:
    found = {field.name: field.type for field in file.schema_arrow}
    for column, kind in columns:
        if found.get(column) != kind:
            raise InvalidArchive(
                f"{name}: column {column!r} must be {kind}; it is {found.get(column, 'missing')}"
            )


def _points(batch: Arrow, schema: Schema, name: str) -> list[Point]:
    vectors: list[dict[str, NDArray[np.float32]]] = [{} for _ in range(len(batch))]
    for vector, dim in schema.vectors.items():
        column = batch.column(f"vector_{vector}")
        present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        rows = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
        for place, row in zip(present.tolist(), rows, strict=True):
            vectors[place][vector] = row
    texts = zip(*(batch.column(text).to_pylist() for text in _TEXTS), strict=True)
    return [
        _point(name, point, asset, payload, found)
        for (point, asset, payload), found in zip(texts, vectors, strict=True)
    ]


def _point(
    name: str, point: str, asset: str, payload: str, vectors: Mapping[str, NDArray[np.float32]]
) -> Point:
    try:
        return Point(UUID(point), asset, vectors, json.loads(payload))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidArchive(f"{name}: point {point!r} cannot be read: {error}") from error


def _row(name: str, values: dict[str, Any]) -> LedgerRow:
    if None in values.values():
        raise InvalidArchive(f"{name}: the ledger row of {values['asset']!r} lacks a value")
    return LedgerRow(**values)
