"""A user's own queries, each with what should be found.

A file of JSON lines: {"query": "a red bicycle", "relevant": ["bikes/a.jpg"], "language": "en"}.
Files are named by their name, by folder and name, or by URI; {"a.jpg": 2, "b.jpg": 1} grades them;
an empty list says that nothing should be found. The language is optional.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import InvalidDataset, InvalidQuery
from retrieval.evaluate.layouts.files import read_text
from retrieval.query import Part, Query

EXAMPLE = '{"query": "a red bicycle", "relevant": ["a.jpg"]}'
UNKNOWN = "-"
"""The language of queries that name none."""


@dataclass(frozen=True)
class Judgement:
    """A query and the grade, above 0, of each file that answers it."""

    query: str
    relevant: Mapping[str, float]
    language: str = UNKNOWN


def read_judgements(path: Path) -> list[Judgement]:
    """Raises `InvalidDataset` naming the line."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    judgements = [_judgement(line, f"{path}, line {at}") for at, line in lines if line.strip()]
    if not judgements:
        raise InvalidDataset(f"{path} has no query")
    return judgements


def _judgement(line: str, place: str) -> Judgement:
    try:
        row = json.loads(line)
        query, relevant = row["query"], _grades(row["relevant"])
        language = row.get("language", UNKNOWN)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidDataset(f"{place}: not like {EXAMPLE} ({error!r})") from error
    if not (isinstance(query, str) and isinstance(language, str)):
        raise InvalidDataset(f"{place}: the query is not a text")
    try:
        Query([Part(text=query)])
    except InvalidQuery as error:
        raise InvalidDataset(f"{place}: {error}") from error
    return Judgement(query, relevant, language)


def _grades(relevant: Any) -> dict[str, float]:  # noqa: ANN401 - JSON
    grades = relevant if isinstance(relevant, dict) else dict.fromkeys(relevant, 1)
    if isinstance(relevant, str) or not all(grade > 0 for grade in grades.values()):
        raise TypeError("relevant is a list of files, or grades above 0 by file")
    return {str(name): float(grade) for name, grade in grades.items()}
