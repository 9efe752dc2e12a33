"""What every point says of the file it came from."""

import os
from typing import Any

from indexer.base import Kind
from ingestion.jobs import Job


def point_payload(kind: Kind, job: Job, content_hash: str, media: dict[str, Any]) -> dict[str, Any]:
    """`kind`, `name`, `folder`, `size` (bytes), `mtime_ns`, `content_hash`, and what `media` adds.

    The item's own payload wins.
    """
    path = job.item.path
    file = {
        "kind": kind,
        "name": _readable(path.name),
        "folder": _readable(str(path.parent)),
        "size": job.size,
        "mtime_ns": job.mtime_ns,
        "content_hash": content_hash,
    }
    return file | media | job.item.payload


def _readable(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")
