"""What every point says of the file it came from."""

import os
from pathlib import Path
from typing import Any

from indexer.base import Kind
from ingestion.items import Item
from ingestion.jobs import Job

OF_FILES = frozenset(("kind", "name", "folder", "size", "mtime_ns", "content_hash"))
OF_MEDIA = frozenset(
    ("width", "height", "format", "codec", "duration", "start", "end", "frame", "phash",
     "taken", "camera", "location")
)  # fmt: skip
DUPLICATE_OF = "duplicate_of"
"""The asset that a picture looks the same as; said of it once all are there to be compared."""

OURS = (OF_FILES | OF_MEDIA | {DUPLICATE_OF}) - {"taken", "camera", "location", "name", "folder"}
"""What no source may say otherwise."""
KEPT = OURS | {"name", "folder"}
"""What nobody may change once it is stored."""
TITLE = 80  # letters of a text that stand for its name


def point_payload(kind: Kind, job: Job, content_hash: str, media: dict[str, Any]) -> dict[str, Any]:
    """`kind`, `name`, `folder`, `size` (bytes), `mtime_ns`, `content_hash`, and what `media` adds.

    The item's own payload wins.
    """
    name, folder = _place(job.item)
    file = {
        "kind": kind,
        "name": name,
        "folder": folder,
        "size": job.size,
        "mtime_ns": job.mtime_ns,
        "content_hash": content_hash,
    }
    return file | media | job.item.payload


def media_of(payload: dict[str, Any]) -> dict[str, Any]:
    """What a stored payload says of the media itself."""
    return {key: value for key, value in payload.items() if key in OF_MEDIA}


def allowed(given: dict[str, Any]) -> dict[str, Any]:
    """What a source says, less what only the file itself may say."""
    return {key: value for key, value in given.items() if key not in OURS}


def _place(item: Item) -> tuple[str, str]:
    """Name and folder, for people."""
    match item.content:
        case Path() as path:
            return readable(path.name), readable(str(path.parent))
        case None:
            return title(item.text), ""
        case blob:
            return readable(blob.name), readable(blob.folder)


def title(text: str) -> str:
    """What stands for the name of a text."""
    return " ".join(text.split())[:TITLE]


def readable(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")
