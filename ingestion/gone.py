"""Files that were ingested and no longer exist."""

from collections.abc import Iterable, Iterator, Sequence

from indexer.base import AssetWrite, Collection
from indexer.ledger import Ledger, LedgerRow
from ingestion.feeding import grouped
from ingestion.seen import Seen
from ingestion.sources import Source, belongs

GROUP = 256  # assets forgotten in one commit
PAGE = 1000  # rows that are looked at together


def vanished(ledger: Ledger, sources: Sequence[Source], seen: Seen) -> Iterator[LedgerRow]:
    """The ledger rows of files that these sources no longer list; `seen` is all that they
    listed.
    """
    for page in grouped(ledger.sources(), PAGE):
        origins = {asset: source for asset, source in page if _owners(sources, source, asset)}
        missing = seen.missing(list(origins))
        rows = ledger.get(missing)
        for asset in missing:
            owners = _owners(sources, origins[asset], asset)
            if asset in rows and all(one.is_gone(asset) for one in owners):
                yield rows[asset]


def forget(collection: Collection, assets: Iterable[str]) -> int:
    """Remove these assets, their points and their ledger rows; returns the number of assets.

    A file that comes back is ingested as new.
    """
    count = 0
    for group in grouped(assets, GROUP):
        gone = [AssetWrite(a, [], LedgerRow(a, "skipped", "it is gone")) for a in group]
        collection.replace(gone)
        collection.ledger.remove(group)
        count += len(group)
    return count


def _owners(sources: Sequence[Source], source: str, asset: str) -> list[Source]:
    return [one for one in sources if belongs(one.uri, source, asset)]
