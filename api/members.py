"""Copies of archive members as files, for thumbnails and originals."""

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from ingestion import MediaError
from ingestion.archive import Member, members_of
from ingestion.hashing import hash_file

KEPT_BYTES = 1 << 30
"""About how much of them is kept; what was not looked at for longest goes first."""

LONGEST = 16 << 30  # bytes of a member


class Members:
    """Copies of members in `folder`, each named by its content, made when first asked for.

    Names inside an archive are labels, and never part of a path here.
    """

    def __init__(self, folder: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self._folder = folder
        self._kept_bytes = kept_bytes
        self._added = kept_bytes  # since the last look at how much there is

    def file(self, archive: Path, name: str, content_hash: str) -> Path | None:
        """The copy of a member whose content has that hash; None if it has not."""
        path = self._folder / content_hash
        try:
            os.utime(path)
        except FileNotFoundError:
            return path if self._copy(archive, name, content_hash) else None
        return path

    def _copy(self, archive: Path, name: str, content_hash: str) -> bool:
        member = _members(archive, archive.stat().st_mtime_ns).get(name)
        if member is None:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as draft:
            path = Path(draft.name)
            try:
                if not _is_copied(member, path, content_hash):
                    return False
                path.replace(self._folder / content_hash)
            finally:
                path.unlink(missing_ok=True)
        self._make_room(member.size)
        return True

    def _make_room(self, added: int) -> None:
        """Looks now and then; what was just asked for stays, however large it is."""
        self._added += added
        if self._added * 4 < self._kept_bytes:
            return
        self._added, total = 0, 0
        kept = [(entry.stat().st_mtime_ns, entry) for entry in os.scandir(self._folder)]
        for place, (_, entry) in enumerate(sorted(kept, key=lambda one: -one[0])):
            total += entry.stat().st_size
            if total > self._kept_bytes and place > 0:
                Path(entry).unlink(missing_ok=True)


def _is_copied(member: Member, path: Path, content_hash: str) -> bool:
    try:
        with path.open("wb") as target:
            member.copy_to(target, LONGEST)
    except MediaError:
        return False
    return hash_file(path) == content_hash


@lru_cache(maxsize=16)
def _members(archive: Path, mtime_ns: int) -> dict[str, Member]:  # noqa: ARG001 - it may be rewritten
    """Where each member lies; to find one takes as long as to find all."""
    return members_of(archive)
