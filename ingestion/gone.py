"""What was ingested and is not there any more."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from indexer.base import AssetWrite, Collection
from indexer.ledger import Ledger, LedgerRow
from ingestion.seen import Seen
from ingestion.sources import Source, belongs

GROUP = 256  # assets forgotten in one commit


def vanished(ledger: Ledger, sources: Sequence[Source], seen: Seen) -> Iterator[LedgerRow]:
    """The rows of what these sources had once and have no more; `seen` is all that they listed."""
    for row in ledger.rows():
        owners = [one for one in sources if belongs(one.uri, row.source, row.asset)]
        if owners and row.asset not in seen and all(one.is_gone(row.asset) for one in owners):
            yield row


def forget(collection: Collection, assets: Iterable[str]) -> int:
    """Remove these assets, their points and their rows; returns how many assets there were.

    What comes back is ingested as if it were new.
    """
    remaining, count = iter(assets), 0
    while group := list(islice(remaining, GROUP)):
        gone = [AssetWrite(a, [], LedgerRow(a, "skipped", "it is gone")) for a in group]
        collection.replace(gone)
        collection.ledger.remove(group)
        count += len(group)
    return count
