"""Object stores, through fsspec: s3://, gs://, memory:// and whatever else is installed."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

from ingestion.errors import IngestError, MediaError, PathNotFound
from ingestion.items import Item, Stamp, scheme_of
from ingestion.sources import SourceOptions, fits, not_empty

TIMES = ("LastModified", "mtime", "last_modified", "updated", "created")
CHUNK = 1 << 20  # bytes
EXTRAS = {"s3": "pip install 'polylens[s3]'"}


class Bucket:
    """What lies below a URL of an object store, or the one object there; satisfies `Source`."""

    def __init__(self, url: str, options: SourceOptions) -> None:
        """Raises `PathNotFound`, or `IngestError` for a store that cannot be reached."""
        self._options = options
        self._store, self._path = store_of(url)
        self.uri = uri_of(self._store, self._path)
        self.needs = options.needs
        self.root: Path | None = None
        self._unlisted: list[str] = []
        with _reasons(url):
            self._store.invalidate_cache()  # of what this process listed earlier
            if not self._store.exists(self._path):
                raise PathNotFound(f"{url} does not exist")

    def __iter__(self) -> Iterator[Item]:
        complaint = self._options.complaint(f"{self.uri} holds no object")
        return not_empty(self._items(), lambda: complaint)

    def is_gone(self, asset: str) -> bool:
        """What globs leave out is not gone, nor what lies where nothing could be listed."""
        is_hidden = any(asset.startswith(f"{folder}/") for folder in self._unlisted)
        return not is_hidden and self._wants(unquote(asset.removeprefix(self.uri)).lstrip("/"))

    def _items(self) -> Iterator[Item]:
        self._unlisted = []
        with _reasons(self.uri):
            if self._store.isfile(self._path):
                yield self._item(self._path, self._store.info(self._path))
            else:
                yield from self._below(self._path, self._listed(self._path))

    def _below(self, folder: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
        """What lies in a folder, then what lies in those in it; one that cannot be listed fails."""
        for info in entries:
            if info["type"] != "directory" and self._wants(self._relative(info)):
                yield self._item(info["name"], info)
        for info in entries:
            path = info["name"].rstrip("/")
            if info["type"] != "directory" or path == folder or self._is_left(info):
                continue
            try:
                inner = self._listed(path)
            except Exception as error:  # noqa: BLE001 - each store has errors of its own
                fault = f"a folder that cannot be read: {error or type(error).__name__}"
                self._unlisted.append(uri_of(self._store, path))
                yield Item(self._unlisted[-1], source=self.uri, fault=fault)
            else:
                yield from self._below(path, inner)

    def _listed(self, folder: str) -> list[Mapping[str, Any]]:
        found = self._store.ls(folder, detail=True)
        return sorted(found, key=lambda info: str(info["name"]))

    def _relative(self, info: Mapping[str, Any]) -> str:
        return str(info["name"]).removeprefix(self._path).strip("/")

    def _item(self, path: str, info: Mapping[str, Any]) -> Item:
        found = StoredFile(self._store, path, stamp_of(info))
        return Item(uri_of(self._store, path), found, source=self.uri)

    def _wants(self, below: str) -> bool:
        is_hidden = any(part.startswith(".") for part in below.split("/"))
        return not is_hidden and self._options.wants(below)

    def _is_left(self, info: Mapping[str, Any]) -> bool:
        """Whether a folder is not entered."""
        below = self._relative(info)
        return posixpath.basename(below).startswith(".") or fits(below, self._options.exclude)


@dataclass(frozen=True)
class StoredFile:
    """An object; satisfies `Blob`. `store` is a file system of fsspec."""

    store: Any
    path: str
    stamp: Stamp | None = None

    @classmethod
    def at(cls, url: str) -> "StoredFile":
        """The object at a URL, which is not looked at yet. Raises `IngestError`."""
        return cls(*store_of(url))

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    @property
    def folder(self) -> str:
        return str(self.store.unstrip_protocol(posixpath.dirname(self.path)))

    def copy_to(self, target: IO[bytes], max_bytes: int) -> None:
        """See `Blob`."""
        size = 0
        with self.store.open(self.path, "rb") as file:
            while chunk := file.read(CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise MediaError(f"larger than the limit of {max_bytes / 1e6:,.0f} MB")
                target.write(chunk)


def store_of(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path in it; raises `IngestError`."""
    import fsspec

    scheme = scheme_of(url)
    if "::" in url or not scheme.replace("+", "").isalnum():
        raise IngestError(f"{url}: name a store by one plain URL")
    try:
        store, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        fix = f": {EXTRAS[scheme]}" if scheme in EXTRAS else ""
        raise IngestError(f"{url}: {error}{fix}") from error
    if getattr(store, "local_file", False):
        raise IngestError(f"{url}: name files of this machine by their paths")
    return store, str(path)


@contextmanager
def _reasons(url: str) -> Iterator[None]:
    """Each store has errors of its own; all of them end the listing."""
    try:
        yield
    except IngestError:
        raise
    except Exception as error:
        raise IngestError(f"{url} cannot be read: {error or type(error).__name__}") from error


def uri_of(store: Any, path: str) -> str:  # noqa: ANN401 - fsspec has no types
    """The URL of a path, percent-encoded."""
    scheme, _, rest = store.unstrip_protocol(path).partition("://")
    return f"{scheme}://{quote(rest, safe='/:@')}".rstrip("/")


def stamp_of(info: Mapping[str, Any]) -> Stamp:
    """Size and time of an object; where it has no time, the size must do."""
    found = next((info[key] for key in TIMES if info.get(key)), 0)
    if isinstance(found, str):
        found = datetime.fromisoformat(found)
    seconds = found.timestamp() if isinstance(found, datetime) else float(found)
    return Stamp(int(info.get("size") or 0), int(seconds * 1e9))
