"""Aliases of collections: symbolic links beside their folders.

A name is a folder or a link, never both, and a rename replaces a link from one moment to the next.
"""

import os
from contextlib import suppress
from pathlib import Path

from indexer.checks import is_name, taken
from indexer.local.drafts import hidden
from indexer.local.filesystem import sync_folder


class Aliases:
    """The aliases among the collections of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> dict[str, str]:
        """Alias -> collection, in order."""
        names = sorted(path.name for path in self._folder.iterdir() if is_name(path.name))
        return {name: target for name in names if (target := self.target(name))}

    def target(self, name: str) -> str | None:
        """The collection that an alias names, None for what is no alias."""
        try:
            target = os.readlink(self._folder / name)  # noqa: PTH115 - as it was written
        except OSError:
            return None
        return target if is_name(target) else None

    def set(self, alias: str, collection: str) -> None:
        """Make or change an alias; raises `CollectionExists` where a collection has the name."""
        place, done = self._folder / alias, False
        while not done:
            link = hidden(self._folder, alias)
            link.symlink_to(collection)
            # A sweeper may take the new link for abandoned before it has its name.
            with suppress(FileNotFoundError):
                try:
                    link.rename(place)
                except IsADirectoryError:
                    link.unlink(missing_ok=True)
                    raise taken(alias, None) from None
                done = True
        sync_folder(self._folder)

    def remove(self, alias: str) -> None:
        """Remove an alias, if it is there."""
        (self._folder / alias).unlink(missing_ok=True)
        sync_folder(self._folder)

    def forget(self, collection: str) -> None:
        """Remove all aliases of a collection."""
        for alias, target in self.all().items():
            if target == collection:
                self.remove(alias)
