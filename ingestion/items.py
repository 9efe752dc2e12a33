"""One media file to ingest: what every source yields."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
