"""Edits of a collection, each as an operation of a commit."""

from collections.abc import Sequence
from uuid import UUID

from indexer import payload as payloads
from indexer.base import AssetWrite, Payload, Schema, Selector
from indexer.filters import Filter
from indexer.ledger_sql import record
from indexer.local.commit import Operation
from indexer.local.filter_sql import Matcher, visible_rows
from indexer.local.transaction import Transaction
from indexer.points import prepare_writes


def replace(assets: Sequence[AssetWrite], schema: Schema) -> Operation[None]:
    """Swap the points of assets and record their ledger rows; raises `InvalidPoint` at once."""
    batch, staged = prepare_writes(assets, schema)

    def swap(transaction: Transaction) -> None:
        kept = transaction.unpublished(staged.ids)
        old = transaction.of_assets(write.asset for write in assets)
        transaction.kill([row for row in old if row not in kept.values()])
        transaction.publish(staged, kept)
        transaction.upsert(batch)
        record(transaction.execute, [write.row for write in assets])

    return swap


def delete(transaction: Transaction, selector: Selector) -> int:
    rows = select(transaction, selector)
    transaction.kill(rows)
    return len(rows)


def set_payload(transaction: Transaction, selector: Selector, payload: Payload) -> int:
    rows = select(transaction, selector)
    for row, text in transaction.texts(rows):
        merged = payloads.encode(payloads.decode(text) | payload, "the payload that results")
        transaction.rewrite_payload(row, text, merged)
    return len(rows)


def delete_payload(transaction: Transaction, selector: Selector, keys: Sequence[str]) -> int:
    rows = select(transaction, selector)
    removed = set(keys)
    for row, text in transaction.texts(rows):
        kept = {k: value for k, value in payloads.decode(text).items() if k not in removed}
        transaction.rewrite_payload(row, text, payloads.encode(kept, "the payload that results"))
    return len(rows)


def select(transaction: Transaction, selector: Selector) -> list[int]:
    """The rows of the points an edit applies to, those written earlier in the commit included."""
    if not isinstance(selector, Filter):
        return transaction.live(dict.fromkeys(_id_bytes(point) for point in selector))
    rows = visible_rows(transaction.connection)
    found: list[int] = rows.points[Matcher(transaction.connection, rows).mask(selector)].tolist()
    return found


def _id_bytes(point: UUID) -> bytes:
    return point.bytes
