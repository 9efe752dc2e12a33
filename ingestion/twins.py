"""Reuse points: the same content is already in the collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from indexer.base import Collection, Page, Record, point_id
from indexer.filters import Filter
from indexer.ledger import LedgerRow
from ingestion.jobs import Job
from ingestion.messages import PoolKey
from ingestion.patience import Patience

Points = dict[PoolKey, Record]
PAGE = 1000


@dataclass(frozen=True)
class Twins:
    """Finds the points of a content in a collection; `names` are the vector names wanted."""

    collection: Collection
    names: Sequence[str]
    patience: Patience

    def find(self, job: Job, content_hash: str, fingerprint: str) -> Points:
        """Those of another file of that content, made the same way; empty where there is none."""
        row = self.collection.ledger.by_hash([content_hash]).get(content_hash)
        if row is None or row.asset == job.item.asset or row.fingerprint != fingerprint:
            return {}
        return self.of(row)

    def of(self, row: LedgerRow) -> Points:
        """The points of a file, its text aside, their vectors of unit norm; empty if any lacks."""
        ids = [point_id(row.asset, "image")]
        found = self.patience(lambda: self.collection.get(ids, with_vectors=self.names))
        records = found or self._of(row.asset)
        points = {_key(one): one for one in records if one.payload.get("kind") != "text"}
        lacking = any(one.vectors.keys() != set(self.names) for one in points.values())
        return {} if lacking or len(points) < row.points - 1 else points

    def _of(self, asset: str) -> list[Record]:
        tree = Filter.parse({"must": [{"key": "asset", "match": {"value": asset}}]})
        page = self.patience(partial(self._page, tree))
        records = page.records
        while page.next is not None:
            page = self.patience(partial(self._page, tree, page.next))
            records = [*records, *page.records]
        return records

    def _page(self, tree: Filter, after: UUID | None = None) -> Page:
        return self.collection.scroll(tree, limit=PAGE, after=after, with_vectors=self.names)


def _key(record: Record) -> PoolKey:
    kind, start = record.payload["kind"], record.payload.get("start", 0.0)
    return (kind, round(1000 * start) if kind == "segment" else 0)
