"""A set of texts seen before, of any size."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from indexer.sql import select_in
from ingestion.items import Item


class Seen:
    """A set of texts in flat memory: SQLite keeps them in a temporary file of its own.

    In their own order and not by digests: what comes sorted, as most lists do, is written where
    the last was, and needs little of the file at hand. For one thread at a time.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA cache_size = -8192")  # kibibytes
        self._db.execute("BEGIN")
        self._db.execute("CREATE TABLE seen (text BLOB PRIMARY KEY, at INTEGER) WITHOUT ROWID")
        self._cursor = self._db.cursor()

    def add(self, text: str, at: int = 0) -> int | None:
        """Remember a text and where it stood; where it stood before, None if it is new."""
        insert = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
        if self._cursor.execute(insert, (_key(text), at)).rowcount:
            return None
        return self._at(text)

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that were not seen, in their order."""
        keys = [_key(text) for text in texts]
        found = {key for (key,) in select_in(self._db, "text FROM seen WHERE text IN", keys)}
        return [text for text, key in zip(texts, keys, strict=True) if key not in found]

    def __contains__(self, text: str) -> bool:
        return self._at(text) is not None

    def close(self) -> None:
        self._db.close()

    def _at(self, text: str) -> int | None:
        found = self._cursor.execute("SELECT at FROM seen WHERE text = ?", (_key(text),))
        row: tuple[int] | None = found.fetchone()
        return row[0] if row else None


def distinct(items: Iterable[Item], seen: Seen) -> Iterator[Item]:
    """Each asset once, where sources overlap."""
    return (item for item in items if seen.add(item.asset) is None)


def _key(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
