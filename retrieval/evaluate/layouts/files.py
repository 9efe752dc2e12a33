"""Reading what others wrote: a data set's own files, with errors that name them."""

import json
from pathlib import Path
from typing import Any

from retrieval.errors import InvalidDataset


def read_text(path: Path) -> str:
    """UTF-8 text; raises `InvalidDataset`."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise InvalidDataset(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InvalidDataset(f"{path} is not UTF-8 text: {error.reason}") from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Raises `InvalidDataset`."""
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise InvalidDataset(f"{path} is not JSON: {error}") from error


def unexpected(path: Path, expected: str) -> InvalidDataset:
    """The error for a file that holds something else."""
    return InvalidDataset(f"{path} is not laid out as expected: {expected}")
