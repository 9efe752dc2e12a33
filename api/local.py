"""Operations that only local collections support, refused for others."""

from indexer import LocalCollection, LocalStore, Store, Unsupported
from indexer.base import Collection


def local(collection: Collection) -> LocalCollection:
    """The collection, if it lies in the data folder; raises `Unsupported`."""
    if isinstance(collection, LocalCollection):
        return collection
    raise Unsupported(
        f"collection {collection.name!r} is on a Qdrant server, which manages its own files: "
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
