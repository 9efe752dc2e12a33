"""The installation's own database, `polylens.db`: data outside collections."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.local.database import translated
from indexer.local.filesystem import refuse_remote

FILE = "polylens.db"
_BUSY_SECONDS = 30.0


@contextmanager
def open_installation(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the database in `folder`, which is made if need be.

    For one use: any thread and process may have one of its own. Raises `StorageError`, also on a
    network file system.
    """
    folder = Path(folder).absolute()
    with translated(f"use {folder / FILE}"):
        folder.mkdir(parents=True, exist_ok=True)
        refuse_remote(folder)
        connection = sqlite3.connect(folder / FILE, timeout=_BUSY_SECONDS)
        try:
            yield connection
        finally:
            connection.close()
