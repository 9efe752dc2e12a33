"""Files of the same content: encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.base import Collection, Record, point_id
from ingestion.jobs import Job
from ingestion.patience import Patience


@dataclass(frozen=True)
class Twins:
    """Finds the point of an image in a collection by its content.

    `names` are the vector names wanted, `fingerprint` what made them.
    """

    collection: Collection
    names: Sequence[str]
    fingerprint: str
    patience: Patience

    def find(self, job: Job, content_hash: str) -> Record | None:
        """The point of another file of that content, its vectors of unit norm, if there is one."""
        row = self.collection.ledger.by_hash([content_hash]).get(content_hash)
        if row is None or row.asset == job.item.asset or row.fingerprint != self.fingerprint:
            return None
        ids = [point_id(row.asset, "image")]
        records = self.patience(lambda: self.collection.get(ids, with_vectors=self.names))
        if not records or records[0].vectors.keys() != set(self.names):
            return None
        return records[0]
