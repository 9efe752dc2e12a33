"""What was seen before, however much it is."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator

from ingestion.items import Item


class Seen:
    """A set of texts in flat memory: SQLite keeps digests in a temporary file of its own.

    For one thread at a time.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -65536")  # kibibytes
        self._db.execute("BEGIN")
        self._db.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY, at INTEGER) WITHOUT ROWID")

    def add(self, text: str, at: int = 0) -> int | None:
        """Remember a text and where it stood; where it stood before, None if it is new."""
        insert = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
        if self._db.execute(insert, (_digest(text), at)).rowcount:
            return None
        return self._at(text)

    def __contains__(self, text: str) -> bool:
        return self._at(text) is not None

    def close(self) -> None:
        self._db.close()

    def _at(self, text: str) -> int | None:
        found = self._db.execute("SELECT at FROM seen WHERE digest = ?", (_digest(text),))
        row: tuple[int] | None = found.fetchone()
        return row[0] if row else None


def distinct(items: Iterable[Item], seen: Seen) -> Iterator[Item]:
    """Each asset once, where sources overlap."""
    return (item for item in items if seen.add(item.asset) is None)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
