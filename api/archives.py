"""Archives of collections (snapshots, exports) in one folder, named by collection and time."""

import re
from datetime import UTC, datetime
from pathlib import Path

STEM = r"[a-z0-9][a-z0-9_-]{0,63}-\d{8}T\d{9}Z"


class Archives:
    """Snapshots, or exports; their folder is made with the first of them."""

    def __init__(self, folder: Path, suffix: str = "") -> None:
        """`suffix` is that of every name."""
        self.folder = folder
        self._suffix = suffix
        self._name = re.compile(STEM + re.escape(suffix))

    def new(self, collection: str) -> Path:
        """Where the next one of a collection goes."""
        time = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:-3]
        return self.folder / f"{collection}-{time}Z{self._suffix}"

    def all(self) -> list[Path]:
        """Those there are, in order."""
        return sorted(path for path in self.folder.glob("*") if self._name.fullmatch(path.name))

    def find(self, name: str) -> Path | None:
        """The one of that name, which is looked up and never followed."""
        return next((path for path in self.all() if path.name == name), None)
