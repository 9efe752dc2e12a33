"""Read a table row by row: CSV, TSV, JSONL or Parquet.

A bad row is reported by its number and the reason, and reading continues.
"""

import csv
import gzip
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from ingestion.errors import BadManifest

Row = tuple[int, "dict[str, Any] | str"]
"""Where a row stands, counted from 1, and its values by column, or why it has none."""

LONGEST = 1 << 20  # characters of a line
BATCH = 1024  # rows of Parquet at a time
UTF_16 = ("\ufffe", "\udcff\udcfe", "\udcfe\udcff")
INSTALL = "pip install 'polylens[parquet]'"


def read_rows(path: Path, name: str) -> Iterator[Row]:
    """The rows of a file, whose kind `name` tells; raises `BadManifest`."""
    match Path(name.lower().removesuffix(".gz")).suffix:
        case ".csv":
            return _csv(path, ",")
        case ".tsv":
            return _csv(path, "\t")
        case ".parquet":
            return _parquet(path)
    return _jsonl(path)


class Lines:
    """The lines of a text file. One that is too long is a `ValueError`, and the next one follows.

    Bytes that are not UTF-8 become surrogates.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) < LONGEST or line.endswith("\n"):
            return line
        while rest := self._file.readline(LONGEST):
            if rest.endswith("\n"):
                break
        raise ValueError(f"a line of more than {LONGEST >> 20} MB")


def _csv(path: Path, delimiter: str) -> Iterator[Row]:
    with _text(path) as file:
        lines = Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = _header(reader)
        while True:
            try:
                fields = next(reader, None)
                if fields is None:
                    return
                yield from _values(lines.number, header, fields)
            except (csv.Error, ValueError) as error:
                yield lines.number, str(error)
            except (EOFError, OSError) as error:
                yield lines.number + 1, f"the file is damaged or cut short here: {error}"
                return


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except (csv.Error, ValueError, EOFError, OSError) as error:
        raise BadManifest(f"its first line is not a header: {error}") from error
    if header and header[0].startswith(UTF_16):
        raise BadManifest("it is UTF-16: save it as UTF-8")
    named = [name for name in header if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise BadManifest(f"the column {twice[0]!r} appears twice")
    return header


def _values(number: int, header: list[str], fields: list[str]) -> Iterator[Row]:
    if not fields:  # an empty line
        return
    if len(fields) != len(header):
        yield number, f"{len(fields)} fields, where the header has {len(header)}"
        return
    yield (
        number,
        {name: value for name, value in zip(header, fields, strict=True) if name and value},
    )


def _jsonl(path: Path) -> Iterator[Row]:
    with _text(path) as file:
        lines = Lines(file)
        while True:
            try:
                line = next(lines, None)
                if line is None:
                    return
                if line.strip():
                    yield lines.number, _object(line)
            except (ValueError, RecursionError) as error:
                yield lines.number, f"not JSON: {error}"
            except (EOFError, OSError) as error:
                yield lines.number + 1, f"the file is damaged or cut short here: {error}"
                return


def _object(line: str) -> dict[str, Any] | str:
    if line.startswith(UTF_16):
        raise BadManifest("it is UTF-16: save it as UTF-8")
    found = _STRICT.decode(line)
    if not isinstance(found, dict):
        return "not a JSON object"
    return {name: value for name, value in found.items() if value is not None}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_refuse)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise BadManifest(f"to read Parquet: {INSTALL}") from error
    number = 0
    try:
        with ParquetFile(path) as table:
            for batch in table.iter_batches(BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, _plain(row)
    except (pyarrow.ArrowException, OSError) as error:
        if not number:
            raise BadManifest(f"it is not a readable Parquet file: {error}") from error
        yield number + 1, f"the file is damaged here: {error}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a table holds
    """A value as JSON has it; what is missing, NaN included, is left out of objects."""
    if isinstance(value, Mapping):
        pairs = ((str(name), _plain(part)) for name, part in value.items())
        return {name: part for name, part in pairs if part is not None}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _plain(float(value))
    if isinstance(value, datetime):
        return value.isoformat() + ("" if value.tzinfo else "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else None


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    opened = gzip.open if _is_gzip(path) else open
    with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield file


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
