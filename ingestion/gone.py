"""Files that were ingested and are not there any more."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from indexer.base import AssetWrite, Collection
from indexer.ledger import Ledger, LedgerRow
from ingestion.items import local_path

GROUP = 256  # assets forgotten in one commit


def below(asset: str, sources: Sequence[Path]) -> bool:
    """Whether an asset is one of these files, or in one of these folders."""
    path = local_path(asset)
    return path is not None and any(path.is_relative_to(source.resolve()) for source in sources)


def vanished(ledger: Ledger, sources: Sequence[Path]) -> Iterator[str]:
    """The assets below `sources` that have points though their files are gone."""
    for row in ledger.rows():
        path = local_path(row.asset) if row.points and below(row.asset, sources) else None
        if path is not None and _is_gone(path):
            yield row.asset


def _is_gone(path: Path) -> bool:
    """A file that merely cannot be looked at, in a folder without permission, is not gone."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def forget(collection: Collection, assets: Iterable[str]) -> int:
    """Remove the points of these assets; returns how many assets there were.

    A file that comes back is ingested as if it were new.
    """
    remaining, count = iter(assets), 0
    while group := list(islice(remaining, GROUP)):
        gone = [AssetWrite(a, [], LedgerRow(a, "skipped", "the file is gone")) for a in group]
        collection.replace(gone)
        count += len(group)
    return count
