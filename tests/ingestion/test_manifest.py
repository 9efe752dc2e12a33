import csv
import gzip
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from indexer import LedgerRow, LocalCollection, Record, point_id
from ingestion import (
    BadManifest,
    IngestError,
    NothingFound,
    Seen,
    Source,
    SourceOptions,
    forget,
    open_source,
    vanished,
)
from tests import media as make
from tests.ingestion.conftest import ingested, payloads

ROWS: list[dict[str, Any]] = [
    {"path": "a/00000.jpg", "id": "one", "text": "a red boat", "tags": ["x", "y"], "year": 2020},
    {"path": "a/00001.jpg", "id": "two", "price": 1.5, "metadata": {"by": "Ann", "width": 9}},
    {"path": "a/00002.jpg"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make.save_pictures(tmp_path / "m" / "a", 5)
    return tmp_path / "m"


def opened(path: Path, *, texts: bool = False) -> Source:
    return open_source(str(path), SourceOptions(texts=texts))


def save_csv(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return path


def failures(rows: dict[str, LedgerRow]) -> dict[str, str]:
    """Reason by the number of the row."""
    failed = (row for row in rows.values() if row.status == "failed")
    return {row.asset.rpartition("/")[2]: row.reason for row in failed}


def stored(collection: LocalCollection, asset: str) -> Record:
    (record,) = collection.get([point_id(asset, "image")], with_vectors=["default"])
    return record


def written(folder: Path, kind: str) -> Path:
    """`ROWS` as a file of that kind."""
    path = folder / f"m.{kind}"
    columns = ("path", "id", "text", "tags", "year", "price", "metadata")
    if kind.startswith(("csv", "tsv")):
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter="\t" if kind == "tsv" else ",")
        writer.writerow(columns)
        for row in ROWS:
            shown = row | {"tags": "; ".join(row.get("tags", []))}
            shown |= {"metadata": json.dumps(row["metadata"]) if "metadata" in row else ""}
            writer.writerow([shown.get(name, "") for name in columns])
        text = buffer.getvalue()
        path.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS))
    else:
        parquet.write_table(pa.Table.from_pylist(ROWS, _schema()), path)
    return path


def _schema() -> pa.Schema:
    facts = pa.struct([("by", pa.string()), ("width", pa.int64())])
    return pa.schema(
        [
            ("path", pa.string()),
            ("id", pa.string()),
            ("text", pa.string()),
            ("tags", pa.list_(pa.string())),
            ("year", pa.int64()),
            ("price", pa.float64()),
            ("metadata", facts),
        ]
    )


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "jsonl", "parquet"])
def test_all_kinds_say_the_same(kind: str, folder: Path, collection: LocalCollection) -> None:
    source = opened(written(folder, kind))
    assert source.needs == {"image"}
    report, rows = ingested(source, collection)
    assert (report.done, report.failed) == (3, 0)
    assert {row.source for row in rows.values()} == {source.uri}
    said = payloads(collection)
    first, second, third = (said[(folder / row["path"]).as_uri(), "image"] for row in ROWS)
    assert {key: first[key] for key in ("id", "text", "tags", "year", "name")} == {
        "id": "one",
        "text": "a red boat",
        "tags": ["x", "y"],
        "year": 2020,
        "name": "00000.jpg",
    }
    assert (second["id"], second["price"], second["by"]) == ("two", 1.5, "Ann")
    assert second["width"] == 64  # not for a manifest to say
    assert not {"id", "tags", "text"} & third.keys()
    again, _ = ingested(source, collection)
    assert (again.done, again.unchanged) == (0, 3)


def test_other_words_for_the_same_file_are_written_without_reading_it(
    folder: Path, collection: LocalCollection
) -> None:
    path = folder / "m.jsonl"
    path.write_text('{"path": "a/00000.jpg", "old": 1}\n{"path": "a/00001.jpg", "by": "Ann"}')
    ingested(opened(path), collection)
    asset = (folder / "a/00000.jpg").as_uri()
    (before,) = (
        one for one in collection.scroll(with_vectors=["default"]).records if one.asset == asset
    )
    stat = (folder / "a/00000.jpg").stat()
    (folder / "a/00000.jpg").write_bytes(b"\0" * stat.st_size)  # who read it would fail
    os.utime(folder / "a/00000.jpg", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.write_text('{"path": "a/00000.jpg", "new": 2}\n{"path": "a/00001.jpg", "by": "Ann"}')
    report, _ = ingested(opened(path), collection)
    assert (report.done, report.unchanged) == (1, 1)
    (after,) = (
        one for one in collection.scroll(with_vectors=["default"]).records if one.asset == asset
    )
    assert after.id == before.id
    assert after.vectors["default"].tobytes() == before.vectors["default"].tobytes()
    changed = {key for key in before.payload.keys() | after.payload.keys()
               if before.payload.get(key) != after.payload.get(key)}  # fmt: skip
    assert changed == {"old", "new"}


def test_a_source_that_says_nothing_leaves_what_another_said(
    folder: Path, collection: LocalCollection
) -> None:
    path = folder / "m.jsonl"
    path.write_text('{"path": "a/00000.jpg", "by": "Ann"}')
    ingested(opened(path), collection)
    report, _ = ingested(opened(folder), collection)
    assert (report.done, report.unchanged) == (4, 1)
    assert payloads(collection)[(folder / "a/00000.jpg").as_uri(), "image"]["by"] == "Ann"
    (folder / "a/00000.txt").write_text("words")
    assert ingested(opened(folder), collection)[0].done == 1
    said = payloads(collection)[(folder / "a/00000.jpg").as_uri(), "image"]
    assert (said["text"], "by" in said) == ("words", False)
    (folder / "a/00000.txt").unlink()
    assert ingested(opened(folder), collection)[0].done == 1
    assert "text" not in payloads(collection)[(folder / "a/00000.jpg").as_uri(), "image"]


def test_bad_rows_fail_alone(folder: Path, collection: LocalCollection) -> None:
    path = save_csv(
        folder / "m.csv",
        [
            ["path", "id", "tags", "metadata", "note"],
            ["a/00000.jpg", "one", "", "", ""],
            ["a/00001.jpg", "two", "", ""],  # ragged
            ["a/00001.jpg", "two", "", "", "", "", ""],
            ["a/00002.jpg", "one", "", "", ""],  # twice the id
            ["a/../a/00000.jpg", "four", "", "", ""],  # twice the file
            ["", "five", "", "", ""],
            ["a/00003.jpg", "six", '["x', "", ""],
            ["a/00003.jpg", "seven", "", '{"x": NaN}', ""],
            ["a/00003.jpg", "eight", "", "[1]", ""],
            ["a/nowhere.jpg", "nine", "", "", ""],
            ["s3://elsewhere/x.jpg", "ten", "", "", ""],
            ["http://127.0.0.1:1/x.jpg", "eleven", "", "", ""],
            ["a", "twelve", "", "", ""],
            ["a/00004.jpg", "last", "", "", ""],
        ],
    )
    report, rows = ingested(opened(path), collection)
    assert (report.found, report.done) == (14, 2)
    found = failures(rows)
    expected = {
        "3": "4 fields, where the header has 5",
        "4": "7 fields",
        "5": "row 2 has the same id 'one'",
        "6": "the same as row 2",
        "7": "neither a path, a url nor a text",
        "8": "its tags are not JSON",
        "9": "NaN",
        "10": "not a JSON object",
        "nowhere.jpg": "No such file",
        "12": "elsewhere may not be fetched",
        "13": "--fetch-hosts 127.0.0.1",
        "a": "a folder",
    }
    assert found.keys() == expected.keys()
    for name, words in expected.items():
        assert words in found[name], name


def test_a_line_without_end_is_one_bad_row(folder: Path, collection: LocalCollection) -> None:
    long = "x" * 10_000_000
    path = folder / "m.csv"
    path.write_text(f'path,text\na/00000.jpg,x\n"{long}\na/00001.jpg,{long}\na/00002.jpg,y\n')
    report, rows = ingested(opened(path), collection)
    assert report.done == 2
    assert all("line of more than 1 MB" in reason for reason in failures(rows).values())
    path = folder / "m.jsonl"
    path.write_text(f'{{"path": "a/00003.jpg"}}\n{{"path": "{long}"}}\n{{"path": "a/00004.jpg"}}\n')
    assert ingested(opened(path), collection)[0].done == 2


def test_a_wrong_encoding_is_told_by_row(folder: Path, collection: LocalCollection) -> None:
    rows = [["path", "text"], ["a/00000.jpg", "plain"], ["a/00001.jpg", "Grüße"]]
    report, ledger = ingested(opened(save_csv(folder / "m.csv", rows, "latin-1")), collection)
    assert report.done == 1
    assert failures(ledger) == {"3": "not UTF-8: save the manifest as UTF-8"}
    with pytest.raises(BadManifest, match="UTF-16: save it as UTF-8"):
        opened(save_csv(folder / "16.csv", rows, "utf-16"))
    assert ingested(opened(save_csv(folder / "bom.csv", rows, "utf-8-sig")), collection)[0].done


def test_a_path_of_any_bytes(folder: Path, collection: LocalCollection) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    (folder / name).write_bytes(make.encoded(make.picture(7)))
    (folder / "m.csv").write_bytes(b"path\ncaf\xe9.jpg\n")
    report, rows = ingested(opened(folder / "m.csv"), collection)
    assert report.done == 1
    assert [row.rpartition("/")[2] for row in rows] == ["caf%E9.jpg"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.csv", b"name;path\nx;y\n", "no column path, url or text; it has: 'name;path'"),
        ("m.csv", b"path,path\nx,y\n", "'path' appears twice"),
        ("m.jsonl", b'{"name": "x"}\n', "it has: 'name'"),
        ("m.parquet", b"PAR1 and no more", "not a readable Parquet file"),
        ("m.csv.gz", gzip.compress(b"path\n" + os.urandom(99_999))[:20_000], "header|cut short"),
    ],
)
def test_what_is_no_manifest_is_told(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        *_, item = iter(opened(tmp_path / name))
    except IngestError as error:
        said = str(error)
    else:
        said = item.fault
    assert any(one in said for one in words.split("|"))


@pytest.mark.parametrize("content", [b"", b"path\n", b"\n\n"])
def test_an_empty_manifest_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(NothingFound, match="lists nothing"):
        iter(opened(tmp_path / "m.csv"))


def test_parquet_of_odd_types(folder: Path, collection: LocalCollection) -> None:
    table = pa.table(
        {
            "path": ["a/00000.jpg", "a/00001.jpg"],
            "score": [math.nan, 0.5],
            "data": [b"\xff", None],
            "taken": pa.array([1_700_000_000_000_000, None], pa.timestamp("us")),
        }
    )
    parquet.write_table(table, folder / "m.parquet")
    assert ingested(opened(folder / "m.parquet"), collection)[0].done == 2
    said = payloads(collection)
    first = said[(folder / "a/00000.jpg").as_uri(), "image"]
    assert first["taken"] == "2023-11-14T22:13:20Z"
    assert not {"score", "data"} & first.keys()
    assert said[(folder / "a/00001.jpg").as_uri(), "image"]["score"] == 0.5


def test_what_the_manifest_drops_is_gone(folder: Path, collection: LocalCollection) -> None:
    path = save_csv(folder / "m.csv", [["path"], ["a/00000.jpg"], ["a/00001.jpg"], ["nowhere.jpg"]])
    ingested(opened(path), collection)
    save_csv(path, [["path"], ["a/00001.jpg"]])
    assert gone_from(path, collection) == ["00000.jpg", "nowhere.jpg"]
    gone = [(folder / name).as_uri() for name in ("a/00000.jpg", "nowhere.jpg")]
    assert forget(collection, gone) == 2
    assert [Path(row.asset).name for row in collection.ledger.rows()] == ["00001.jpg"]
    assert collection.count() == 1


def test_a_manifest_of_texts_needs_no_image_tower(
    folder: Path, collection: LocalCollection
) -> None:
    path = save_csv(folder / "t.csv", [["id", "text", "lang"], ["1", "red", "en"], ["2", "", ""]])
    source = opened(path)
    assert source.needs == {"text"}
    report, rows = ingested(source, collection)
    assert (report.done, report.failed) == (1, 1)
    asset = f"row:{path.as_uri()}!/id/1"
    assert (
        payloads(collection)[asset, "text"].items()
        >= {
            "text": "red",
            "id": "1",
            "lang": "en",
            "name": "red",
        }.items()
    )
    assert rows[asset].points == 1
    save_csv(path, [["id", "text"], ["1", "blue"]])
    assert ingested(opened(path), collection)[0].done == 1
    assert payloads(collection)[asset, "text"]["text"] == "blue"


@pytest.mark.parametrize(
    "bad",
    [
        ["a/00001.jpg", "x", "too many"],
        ["https://example.com/1.jpg", "x"],
        ["a/00001.jpg", "one"],
    ],
    ids=["ragged", "not to be fetched", "an id twice"],
)
def test_nothing_is_gone_where_a_row_is_bad(
    bad: list[str], folder: Path, collection: LocalCollection
) -> None:
    rows = [["path", "id"], ["a/00000.jpg", "one"], ["a/00001.jpg", "two"]]
    path = save_csv(folder / "m.csv", rows)
    ingested(opened(path), collection)
    save_csv(path, [*rows[:2], bad])
    assert gone_from(path, collection) == []
    save_csv(path, [*rows[:2], ["a/00000.jpg", "three"]])  # which leaves no doubt what it is of
    assert gone_from(path, collection) == ["00001.jpg"]


def test_nothing_is_gone_where_the_manifest_is_cut_short(
    folder: Path, collection: LocalCollection
) -> None:
    rows = b"".join(b"a/%05d.jpg,%d\n" % (number, number) for number in range(5))
    path = folder / "m.csv.gz"
    path.write_bytes(gzip.compress(b"path,id\n" + rows))
    ingested(opened(path), collection)
    path.write_bytes(path.read_bytes()[:-14])
    assert gone_from(path, collection) == []


def test_globs_choose_among_the_files_of_a_manifest(
    folder: Path, collection: LocalCollection
) -> None:
    path = folder / "m.jsonl"
    path.write_text("".join(f'{{"path": "a/0000{n}.jpg"}}\n' for n in range(3)))
    ingested(opened(path), collection)
    source = open_source(str(path), SourceOptions(exclude=("*1.jpg",)))
    assert [Path(item.asset).name for item in source] == ["00000.jpg", "00002.jpg"]
    assert not source.is_gone((folder / "a/00001.jpg").as_uri())
    with pytest.raises(NothingFound, match="that the globs let through"):
        iter(open_source(str(path), SourceOptions(include=("*.png",))))


def gone_from(path: Path, collection: LocalCollection) -> list[str]:
    """The names of what a manifest had once and has no more."""
    source, seen = opened(path), Seen()
    for item in source:
        seen.add(item.asset)
    return [Path(row.asset).name for row in vanished(collection.ledger, [source], seen)]
