"""The snapshots of an installation: files in one folder, named for their collection and time."""

import re
from datetime import UTC, datetime
from pathlib import Path

from indexer import LocalCollection, LocalStore, Store, Unsupported
from indexer.base import Collection

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}-\d{8}T\d{9}Z\.tar")


class Snapshots:
    """The files of a folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, collection: str) -> Path:
        """Where the next snapshot of a collection goes."""
        time = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:-3]
        return self._folder / f"{collection}-{time}Z.tar"

    def all(self) -> list[Path]:
        """Those there are, in order."""
        return sorted(path for path in self._folder.glob("*.tar") if NAME.fullmatch(path.name))

    def find(self, name: str) -> Path | None:
        """The snapshot of that name, which is looked up and never followed."""
        return next((path for path in self.all() if path.name == name), None)


def local(collection: Collection) -> LocalCollection:
    """The collection, if it lies in the data folder; raises `Unsupported`."""
    if isinstance(collection, LocalCollection):
        return collection
    raise Unsupported(
        f"collection {collection.name!r} is on a Qdrant server, which looks after its own files: "
        "use its snapshots, or `polylens index export`"
    )


def local_store(store: Store) -> LocalStore:
    """The store, if it is the data folder; raises `Unsupported`."""
    if isinstance(store, LocalStore):
        return store
    raise Unsupported(
        "snapshots are restored into the data folder, and collections are on a Qdrant server here: "
        "unset qdrant_url, then move it with `polylens index migrate`"
    )
