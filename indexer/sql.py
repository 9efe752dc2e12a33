"""SQL that every database of ours needs."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

_CHUNK = 1000


def select_in(
    connection: sqlite3.Connection, select: str, values: Iterable[object]
) -> Iterator[tuple[Any, ...]]:
    """Rows of `SELECT select (values)`, for any number of values; `select` is never user input."""
    remaining = iter(values)
    while chunk := list(islice(remaining, _CHUNK)):
        marks = ",".join("?" * len(chunk))
        yield from connection.execute(f"SELECT {select} ({marks})", chunk)
