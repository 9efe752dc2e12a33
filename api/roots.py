"""The folders whose files may be served, and ingested, over HTTP."""

import os
from collections.abc import Sequence
from pathlib import Path

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
