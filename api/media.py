"""Find the file of a stored point, if it may be served."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from api.installation import Installation
from api.members import Members
from api.problems import Refusal
from indexer import Collection, Record
from ingestion.archive import local_member
from ingestion.formats import FORMATS
from ingestion.items import Item, local_path

UPLOAD = re.compile(r"media:[0-9a-f]{64}|id:[A-Za-z0-9_.-]{1,128}")
"""Assets that were sent here: known by their content alone, or by an id that the client chose."""
HASH = re.compile("[0-9a-f]{64}")
CHANGED = "the original has changed since it was ingested"
UNKNOWN_TYPE = "application/octet-stream"

# What browsers may show. Anything else is handed over as bytes to save.
CONTENT_TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".m4v": "video/mp4",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".ogv": "video/ogg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".avi": "video/x-msvideo",
}
SUFFIXES = {format_.name: format_.suffixes[0] for format_ in FORMATS}


class Gone(Exception):
    """The original is not there any more, or is not what was ingested."""


@dataclass(frozen=True)
class Original:
    """A file that may be served, as it was when it was ingested."""

    path: Path
    status: os.stat_result


class Originals:
    """Finds the originals of one installation: uploads, and ingested files inside allowed roots."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._members = Members(installation.media / "members")

    def find(self, record: Record) -> Original:
        """The file of a point; a member of an archive is copied out of it.

        Raises `Gone` where it vanished or changed, and `Refusal` where it may not be served.
        """
        if record.payload.get("kind") == "text" and not record.payload.get("mtime_ns"):
            raise Refusal(404, "no-original", "a text has no file: its words are in the payload")
        content_hash = kept_hash(record.asset, str(record.payload.get("content_hash", "")))
        member = local_member(record.asset)
        if content_hash:
            path = self.upload(content_hash)
        elif member:
            path = self._member(record, *member)
        else:
            path = self._allowed(local_path(record.asset))
            _check_time(path, record)
        status = _status(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size != record.payload.get("size"):
            raise Gone(CHANGED)
        return Original(path, status)

    def upload(self, content_hash: str) -> Path:
        """Where an upload of that hash is kept."""
        return self._installation.media / content_hash[:2] / content_hash

    def items(self, collection: Collection) -> Iterator[Item]:
        """The file of every asset that was ingested or uploaded, as it could be ingested again."""
        for row in collection.ledger.rows("done"):
            content_hash = kept_hash(row.asset, row.content_hash)
            path = self.upload(content_hash) if content_hash else local_path(row.asset)
            if path is not None and row.mtime_ns:  # a text has no file, and no time
                yield Item(row.asset, path)

    def _member(self, record: Record, archive: Path, name: str) -> Path:
        archive = self._allowed(archive)
        _check_time(archive, record)
        content_hash = str(record.payload.get("content_hash", ""))
        path = HASH.fullmatch(content_hash) and self._members.file(archive, name, content_hash)
        if not path:
            raise Gone(CHANGED)
        return path

    def _allowed(self, path: Path | None) -> Path:
        if path is None or not self._installation.roots.allow(path):
            raise Refusal(
                403, "outside-roots", "the original lies outside the folders that may be served"
            )
        return path.resolve()


def _check_time(path: Path, record: Record) -> None:
    if _status(path).st_mtime_ns != record.payload.get("mtime_ns"):
        raise Gone(CHANGED)


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise Gone("the original no longer exists") from error


def kept_hash(asset: str, content_hash: str) -> str | None:
    """The hash that an upload's file is kept under, by what is known of it; None of other assets.

    The file of any upload is named by its content, so that the same content is kept once.
    """
    is_hash = HASH.fullmatch(content_hash)
    return content_hash if is_hash and UPLOAD.fullmatch(asset) else None


def content_type(name: str, format_: str) -> str:
    """The media type of a file by its name, or else by the format it was found to have.

    From our own table in any case.
    """
    suffixes = (PurePath(name).suffix.lower(), SUFFIXES.get(format_, ""))
    return next((CONTENT_TYPES[s] for s in suffixes if s in CONTENT_TYPES), UNKNOWN_TYPE)
