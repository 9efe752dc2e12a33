"""One file by its path or URL, to be read from any place in it."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from ingestion.items import Blob, Stamp
from ingestion.reach import Reach
from ingestion.web import BLOCK, Web, WebFile, WebReader

MOST = 16 << 30  # bytes of a file fetched whole


class Opener(Protocol):
    """`uri` is the file's own, `shown` what people call it."""

    @property
    def uri(self) -> str: ...

    @property
    def shown(self) -> str: ...

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """For reading and seeking, many at once."""
        ...

    def at_hand(self) -> AbstractContextManager[Path]:
        """The whole file on this machine, for as long as the context lasts."""
        ...

    def stamp(self) -> Stamp: ...


def opener(at: Path | str, reach: Reach) -> Opener:
    """That of a local path, or of a URL which the user gave; raises `IngestError`."""
    if isinstance(at, Path):
        return LocalOpener(at)
    if urlsplit(at).scheme in ("http", "https"):
        from ingestion.sources import trusting

        return WebOpener(Web(trusting(at, reach)), at)
    from ingestion.stores import store_of

    store, path = store_of(at)
    store.invalidate_cache(path)  # of what this process saw there earlier
    return StoreOpener(at, store, path)


@dataclass(frozen=True)
class LocalOpener:
    """A file on this machine."""

    path: Path

    @property
    def uri(self) -> str:
        return self.path.as_uri()

    @property
    def shown(self) -> str:
        return os.fsencode(self.path).decode("utf-8", "replace")

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with self.path.open("rb") as file:
            yield file

    @contextmanager
    def at_hand(self) -> Iterator[Path]:
        yield self.path

    def stamp(self) -> Stamp:
        stat = self.path.stat()
        return Stamp(stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class WebOpener:
    """A file on a web server, which is taken never to change under its URL."""

    web: Web
    uri: str

    @property
    def shown(self) -> str:
        return self.uri

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        yield io.BufferedReader(WebReader(self.web, self.uri), BLOCK)

    def at_hand(self) -> AbstractContextManager[Path]:
        return _copied(WebFile(self.web, self.uri))

    def stamp(self) -> Stamp:
        return Stamp(0, 0)


@dataclass(frozen=True)
class StoreOpener:
    """An object; `store` is a file system of fsspec."""

    uri: str
    store: Any
    path: str

    @property
    def shown(self) -> str:
        return self.uri

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with self.store.open(self.path, "rb") as file:
            yield file

    def at_hand(self) -> AbstractContextManager[Path]:
        from ingestion.stores import StoredFile

        return _copied(StoredFile(self.store, self.path))

    def stamp(self) -> Stamp:
        from ingestion.stores import stamp_of

        return stamp_of(self.store.info(self.path))


@contextmanager
def _copied(blob: Blob) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="polylens-") as file:
        blob.copy_to(file.file, MOST)
        file.flush()
        yield Path(file.name)
