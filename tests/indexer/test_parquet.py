"""Exports that other programs read, and imports that believe nothing."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer import (
    IndexerError,
    InvalidArchive,
    InvalidPoint,
    LocalStore,
    NewerFormat,
    Schema,
    SchemaMismatch,
    StorageError,
    Store,
)
from indexer.parquet import LEDGER, POINTS, export_collection, import_collection
from tests.indexer.local.test_compact import fill_up
from tests.indexer.local.test_disk import small_disk
from tests.indexer.model import assert_same
from tests.indexer.operations import SCHEMA
from tests.indexer.test_migrate import filled

__all__ = ["small_disk"]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore(tmp_path / "local", file_bytes=16_384)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local store with the collection `photos`, and its export; do not change them."""
    folder = tmp_path_factory.mktemp("exported")
    store = LocalStore(folder / "local")
    export_collection(filled(store)[0], folder / "export")
    store.close()
    return folder


@pytest.fixture
def export(exported: Path, tmp_path: Path) -> Path:
    """A copy of that export."""
    shutil.copytree(exported / "export", tmp_path / "export")
    return tmp_path / "export"


def test_what_was_exported_is_imported_bit_for_bit(
    store: Store, local: LocalStore, tmp_path: Path
) -> None:
    collection, model = filled(store)
    given = export_collection(collection, tmp_path / "export")
    assert (given.points, given.assets) == (len(model.points), len(model.ledger))
    taken = import_collection(local, tmp_path / "export", "other")
    assert (taken.collection, taken.points, taken.assets) == ("other", given.points, given.assets)
    assert local.open("other").schema == SCHEMA
    assert_same(local.open("other"), model)
    assert import_collection(store, tmp_path / "export").collection == "photos"
    assert_same(collection, model)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []


def test_other_programs_read_it(exported: Path) -> None:
    local, export = LocalStore(exported / "local"), exported / "export"
    table = pq.read_table(export / POINTS)
    assert table.column_names == ["id", "asset", "payload", "vector_c", "vector_g"]
    assert table.schema.field("vector_c").type == pa.list_(pa.float32(), 12)
    described = json.loads(table.schema.metadata[b"polylens"])
    assert described["fingerprint"] == dict(SCHEMA.fingerprint)
    for row, record in zip(
        table.to_pylist(), local.open("photos").scroll(limit=999, with_vectors=["c"]).records,
        strict=True,
    ):  # fmt: skip
        assert (row["id"], row["asset"]) == (str(record.id), record.asset)
        assert json.loads(row["payload"]) == record.payload
        assert (row["vector_c"] is None) == ("c" not in record.vectors)
        if row["vector_c"] is not None:
            assert np.array_equal(np.array(row["vector_c"], np.float32), record.vectors["c"])
    assert pq.read_table(export / LEDGER).num_rows == len(list(local.open("photos").ledger.rows()))
    local.close()


def changed(export: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Edit the rows of the points of an export."""
    table = pq.read_table(export / POINTS)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), export / POINTS)


def described(export: Path, **changes: Any) -> None:  # noqa: ANN401
    table = pq.read_table(export / POINTS)
    known = json.loads(table.schema.metadata[b"polylens"]) | changes
    metadata = {b"polylens": json.dumps(known).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), export / POINTS)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def smeared(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40:4000] = bytes(3960)
    path.write_bytes(content)


def without(export: Path, column: str) -> None:
    table = pq.read_table(export / POINTS)
    pq.write_table(table.drop_columns([column]), export / POINTS)


NAN = float("nan")
BAD: dict[str, tuple[Callable[[Path], object], type[IndexerError], str]] = {
    "cut short": (lambda e: cut(e / POINTS), InvalidArchive, "not a Parquet file, or is damaged"),
    "smeared": (lambda e: smeared(e / POINTS), InvalidArchive, "damaged"),
    "no Parquet": (
        lambda e: (e / POINTS).write_text("x" * 99),
        InvalidArchive,
        "not a Parquet file",
    ),
    "empty": (lambda e: (e / POINTS).write_bytes(b""), InvalidArchive, "not a Parquet file"),
    "no points": (lambda e: (e / POINTS).unlink(), StorageError, POINTS),
    "no ledger": (lambda e: (e / LEDGER).unlink(), StorageError, LEDGER),
    "somebody else's": (
        lambda e: pq.write_table(pa.table({"id": ["1"]}), e / POINTS),
        InvalidArchive,
        "not a polylens export",
    ),
    "newer": (lambda e: described(e, format=2), NewerFormat, "format 2"),
    "a strange vector name": (
        lambda e: described(e, vectors={"../c": 12}),
        InvalidArchive,
        "not a polylens export",
    ),
    "other dimensions": (lambda e: described(e, vectors={"c": 11}), InvalidArchive, "vector_c"),
    "a column less": (lambda e: without(e, "payload"), InvalidArchive, "'payload'.*missing"),
    "an id that is none": (
        lambda e: changed(e, lambda rows: rows[7].update(id="x")),
        InvalidArchive,
        "'x'",
    ),
    "no id": (lambda e: changed(e, lambda rows: rows[7].update(id=None)), InvalidArchive, "None"),
    "a payload that is none": (
        lambda e: changed(e, lambda rows: rows[7].update(payload="{")),
        InvalidArchive,
        "cannot be read",
    ),
    "a payload that is a list": (
        lambda e: changed(e, lambda rows: rows[7].update(payload="[]")),
        InvalidPoint,
        "object",
    ),
    "not a number": (
        lambda e: changed(e, lambda rows: rows[7].update(vector_c=[NAN] * 12)),
        InvalidPoint,
        "NaN",
    ),
    "a hole in a vector": (
        lambda e: changed(e, lambda rows: rows[7].update(vector_c=[None] + [1.0] * 11)),
        InvalidPoint,
        "NaN",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_export_is_refused_and_leaves_nothing(
    local: LocalStore, export: Path, case: str
) -> None:
    damage, error, words = BAD[case]
    damage(export)
    with pytest.raises(error, match=words):
        import_collection(local, export, "other")
    assert local.names() == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (Schema({"c": 13, "g": 5}, "fake", SCHEMA.fingerprint), r"c 13, g 5; these are c 12, g 5"),
        (Schema(SCHEMA.vectors, "fake", {"text": "other"}), "its text part differs"),
    ],
)
def test_vectors_of_another_encoder_are_not_mixed_in(
    store: Store, export: Path, schema: Schema, words: str
) -> None:
    store.create("other", schema)
    with pytest.raises(SchemaMismatch, match=words):
        import_collection(store, export, "other")
    assert store.open("other").count() == 0


def test_a_folder_in_the_way_is_left_alone(local: LocalStore, export: Path) -> None:
    before = (export / POINTS).read_bytes()
    with pytest.raises(StorageError, match="exists already"):
        export_collection(local.create("photos", SCHEMA), export)
    assert (export / POINTS).read_bytes() == before


def test_without_room_there_is_no_export(small_disk: Path, local: LocalStore) -> None:
    source, _ = filled(local)
    fill_up(small_disk / "ballast")
    with pytest.raises(StorageError):
        export_collection(source, small_disk / "export")
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


WITHOUT = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from indexer import LocalStore, Unsupported
from indexer.parquet import export_collection, import_collection
store = LocalStore(Path(sys.argv[1]))
for attempt in (lambda: export_collection(store.open("photos"), Path(sys.argv[1]) / "x"),
                lambda: import_collection(store, Path(sys.argv[2]))):
    try:
        attempt()
    except Unsupported as error:
        print(error)
store.close()
"""


def test_without_pyarrow_the_extra_is_named(exported: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, str(exported / "local"), str(exported / "export")]
    child = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert (
        child.stdout.splitlines() == ["Parquet needs pyarrow: pip install 'polylens[parquet]'"] * 2
    )
