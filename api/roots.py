"""The folders whose files may be served, and ingested, over HTTP."""

import os
from collections.abc import Sequence
from pathlib import Path

from api.problems import Refusal
from indexer.installation import FILE, open_installation
from ingestion.reach import Reach


class Roots:
    """Folders allowed by the settings, and those that were ingested by hand on this machine.

    The latter are kept in `polylens.db`: whoever may run `polylens ingest FOLDER` here may also
    show that folder's files on the page.
    """

    def __init__(self, data: Path, configured: Sequence[Path]) -> None:
        self._data = data
        self._configured = [path.expanduser().resolve() for path in configured]

    def add(self, folder: Path) -> None:
        """Allow a folder from now on."""
        if folder.resolve() in self._ingested():
            return
        with open_installation(self._data) as db, db:
            db.execute("CREATE TABLE IF NOT EXISTS root (path BLOB PRIMARY KEY)")
            db.execute("INSERT OR IGNORE INTO root VALUES (?)", (os.fsencode(folder.resolve()),))

    def all(self) -> list[Path]:
        """Every allowed folder, resolved."""
        return [*self._configured, *self._ingested()]

    def allow(self, path: Path) -> bool:
        """Whether a file, its symlinks resolved, lies inside an allowed folder."""
        return self.reach().allows(path)

    def reach(self) -> Reach:
        """Those folders and nothing else."""
        return Reach(folders=tuple(self.all()))

    def _ingested(self) -> list[Path]:
        if not (self._data / FILE).exists():
            return []
        with open_installation(self._data) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'root'").fetchone():
                return []
            rows = db.execute("SELECT path FROM root ORDER BY path").fetchall()
        return [Path(os.fsdecode(row[0])) for row in rows]


def admitted(name: str, reach: Reach) -> Path:
    """A path on this machine that somebody else named, links followed.

    Raises `Refusal`: 422 where it is none or leads to nothing, 403 outside the allowed folders.
    """
    path = Path(name)
    if not path.is_absolute() or "\0" in name:
        raise Refusal(422, "not-a-path", f"{name!r:.200} is no absolute path")
    if not reach.allows(path):
        raise Refusal(
            403,
            "outside-roots",
            f"{name!r:.200} lies outside the folders that may be read: see the setting roots",
        )
    if not os.path.exists(path):  # noqa: PTH110 - `Path.exists` raises where it may not look
        raise Refusal(422, "path-not-found", f"{name!r:.200} does not exist on the server")
    return Path(os.path.realpath(path))
