"""Ingestion by many machines, through Ray. Imported only where Ray is asked for."""

from typing import TYPE_CHECKING

from encoders import LoadOptions
from indexer import Collection, LocalCollection, LocalStore, Store
from ingestion.errors import IngestError

if TYPE_CHECKING:
    from ingestion.cluster.fleet import Fleet as Fleet


def open_fleet(name: str, options: LoadOptions, address: str | None = None) -> "Fleet":
    """A `Fleet` to be entered; raises `IngestError` where Ray is not installed."""
    try:
        import ray.data  # noqa: F401 - whether it is there
    except ImportError as error:
        raise IngestError("the engine ray needs Ray: pip install 'polylens[ray]'") from error
    from ingestion.cluster.fleet import Fleet

    return Fleet(name, options, address)


def refuse_local(kept: Store | Collection) -> None:
    """Raises `IngestError` for what is kept in files of this machine."""
    if isinstance(kept, LocalStore | LocalCollection):
        raise IngestError(
            "the engine ray fills collections on a Qdrant server, and these are files of this "
            "machine, which no other can search: set qdrant_url (--set qdrant_url=http://...:6333),"
            " or leave out --engine ray and give all devices of this machine with --device"
        )
