"""One thing to ingest: what every source yields."""

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_SORTED = json.JSONEncoder(sort_keys=True, default=str)


@dataclass(frozen=True)
class Stamp:
    """Tells whether content may have changed: its `size` in bytes and its modification time."""

    size: int
    mtime_ns: int


class Blob(Protocol):
    """Content that is not a local file: a member of an archive, an object in a store."""

    @property
    def name(self) -> str:
        """As a file of its own would be called."""
        ...

    @property
    def folder(self) -> str:
        """What it lies in, for people."""
        ...

    @property
    def stamp(self) -> Stamp | None:
        """None if it is not checked: content that was ingested once then counts as unchanged."""
        ...

    def copy_to(self, target: IO[bytes], max_bytes: int) -> None:
        """Write all of it; raises `MediaError` above `max_bytes`, and what its library raises."""
        ...


@dataclass(frozen=True)
class Item:
    """An asset to ingest.

    `asset` is its URI, percent-encoded, even if the name is not UTF-8. `content` is a media file or
    its bytes; `text` becomes a separate point of the same asset. At least one of the two is given.
    `payload` is added to the payload of every point of the asset and overrides what is read from
    the file. What its source alone knows: `source`, its own URI; `skip`, a reason to leave it
    alone; `fault`, a reason why it is no good; `note`, what is worth saying of it though it is
    done.
    """

    asset: str
    content: Path | Blob | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    source: str = ""
    skip: str = ""
    fault: str = ""
    note: str = ""

    @classmethod
    def of_file(cls, path: Path, skip: str = "", source: str = "") -> "Item":
        """The item of a local file, its asset a `file:///` URI."""
        path = path.absolute()
        return cls(path.as_uri(), path, source=source, skip=skip)

    @property
    def path(self) -> Path:
        """Of a local file; raises `ValueError` for anything else."""
        if isinstance(self.content, Path):
            return self.content
        raise ValueError(f"{self.asset} is not a local file")

    @cached_property
    def metadata(self) -> str:
        """A digest of all that the source says of it besides its content; empty where nothing."""
        said = [self.payload, self.text, self.fault, self.note]
        if not self.source or not any(said):
            return ""
        text = _SORTED.encode(said)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def text_asset(text: str) -> str:
    """The URI of a text that has no other: named by its words, so that it is there once."""
    return f"text:{hashlib.sha256(text.encode()).hexdigest()}"


def scheme_of(name: str) -> str:
    """The scheme of a URL, in lower case; empty for a path. The rest of it may be nonsense."""
    found = SCHEME.match(name)
    return found[0].lower() if found and "://" in name else ""


def local_path(asset: str) -> Path | None:
    """The path of a local `file:///` URI, None of any other."""
    try:
        parts = urlsplit(asset)
    except ValueError:  # an address that is none
        return None
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        return None
    path = unquote_to_bytes(parts.path)
    return None if b"\0" in path else Path(os.fsdecode(path))
