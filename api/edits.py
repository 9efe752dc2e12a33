"""Edit a collection: payloads, points, whole assets; blocking."""

from uuid import UUID

from api.installation import Installation
from api.media import kept_hash
from api.problems import Refusal
from api.retention import remove_thumbnails, remove_upload
from api.schemas.points import PayloadPatch, PointSelection
from indexer import Collection, Filter, LedgerRow, Record
from ingestion import forget
from ingestion.payloads import KEPT


def patch(collection: Collection, point: UUID, change: PayloadPatch) -> Record:
    """The record after its payload was changed. Raises `Refusal`, `InvalidPoint`."""
    before = _record(collection, point)
    kept = KEPT | {"text"} if before.payload.get("kind") == "text" else KEPT
    if refused := sorted(kept & {*change.set, *change.delete}):
        raise Refusal(
            422,
            "kept-key",
            f"the payload key {refused[0]!r} is set by the file itself: choose another key",
        )
    if change.set:
        collection.set_payload([point], change.set)
    if change.delete:
        collection.delete_payload([point], change.delete)
    return _record(collection, point)


def delete_points(collection: Collection, selection: PointSelection) -> int:
    """How many points there were; their files are not forgotten. Raises `InvalidFilter`."""
    return collection.delete(selection.filter if selection.filter is not None else selection.ids)


def delete_asset(installation: Installation, name: str, asset: str) -> LedgerRow:
    """Forget a file: its points, its thumbnails, and the upload unless it is used elsewhere.

    A file of a folder stays where it is, and comes back when the folder is ingested again. Raises
    `Refusal` (404).
    """
    collection = installation.store.open(name)
    row = find_asset(collection, asset)
    points = _points(collection, asset)
    forget(collection, [asset])
    remove_thumbnails(installation.media / "thumbs", points)
    if content_hash := kept_hash(asset, row.content_hash):
        remove_upload(installation, content_hash)
    return row


def find_asset(collection: Collection, asset: str) -> LedgerRow:
    """Raises `Refusal` (404)."""
    row = collection.ledger.get([asset]).get(asset)
    if row is None:
        raise Refusal(404, "unknown-asset", f"collection {collection.name} has no asset {asset!r}")
    return row


def _record(collection: Collection, point: UUID) -> Record:
    records = collection.get([point])
    if not records:
        raise Refusal(404, "unknown-point", f"collection {collection.name} has no point {point}")
    return records[0]


def _points(collection: Collection, asset: str) -> set[str]:
    mine = Filter.parse({"must": [{"key": "asset", "match": {"value": asset}}]})
    page = collection.scroll(mine, limit=1_000)
    found = {str(record.id) for record in page.records}
    while page.next is not None:
        page = collection.scroll(mine, limit=1_000, after=page.next)
        found.update(str(record.id) for record in page.records)
    return found
