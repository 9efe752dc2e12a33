"""One media file to ingest: what every source yields."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit


@dataclass(frozen=True)
class Item:
    """A media file and the URI it is known by.

    `asset` is percent-encoded, also where the name is not UTF-8. `payload` is added to that of
    every point of the file and wins over what is read from it. `skip` is a reason to leave the file
    alone that only its source knows.
    """

    asset: str
    path: Path
    payload: dict[str, Any] = field(default_factory=dict)
    skip: str = ""

    @classmethod
    def of_file(cls, path: Path, skip: str = "") -> "Item":
        """The item of a local file, its asset a `file:///` URI."""
        path = path.absolute()
        return cls(path.as_uri(), path, skip=skip)


def local_path(asset: str) -> Path | None:
    """The path of a local `file:///` URI, None of any other."""
    parts = urlsplit(asset)
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        return None
    path = unquote_to_bytes(parts.path)
    return None if b"\0" in path else Path(os.fsdecode(path))
