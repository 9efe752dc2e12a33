"""What goes when a collection goes: its thumbnails, and the uploads that nobody else has."""

import logging
from pathlib import Path
from uuid import UUID

from api.installation import Installation
from api.media import UPLOAD
from indexer import Collection, IndexerError, Store, UnknownCollection

logger = logging.getLogger("polylens")


def drop(installation: Installation, name: str) -> None:
    """Remove a collection and what was kept for it alone; raises `UnknownCollection`."""
    store = installation.store
    try:
        collection = store.open(name)
        uploads, points = _uploads(collection), _points(collection)
        unused = uploads - _still_used(store, uploads, besides=name)
    except UnknownCollection:
        raise
    except IndexerError as error:
        logger.error("dropping %r: what it used is kept, as not all can be read: %s", name, error)
        unused, points = set(), set()
    store.drop(name)
    for asset in unused:
        _unlink(installation, asset)
    remove_thumbnails(installation.media / "thumbs", points)


def remove_upload(installation: Installation, asset: str) -> None:
    """Remove the file of an upload that no collection has any more."""
    if not _still_used(installation.store, {asset}):
        _unlink(installation, asset)


def remove_thumbnails(folder: Path, points: set[str]) -> None:
    """Those of these points, in one walk over the cache: cheaper than looking for each."""
    for thumbnail in folder.glob("??/*.webp"):
        if thumbnail.name[:36] in points:
            thumbnail.unlink(missing_ok=True)


def _unlink(installation: Installation, asset: str) -> None:
    content_hash = asset.removeprefix("media:")
    (installation.media / content_hash[:2] / content_hash).unlink(missing_ok=True)


def _uploads(collection: Collection) -> set[str]:
    return {row.asset for row in collection.ledger.rows() if UPLOAD.fullmatch(row.asset)}


def _points(collection: Collection) -> set[str]:
    found: set[str] = set()
    after: UUID | None = None
    while True:
        page = collection.scroll(limit=1_000, after=after)
        found.update(str(record.id) for record in page.records)
        after = page.next
        if after is None:
            return found


def _still_used(store: Store, assets: set[str], besides: str | None = None) -> set[str]:
    wanted = sorted(assets)
    used: set[str] = set()
    for name in store.names():
        if name == besides:
            continue
        rows = store.open(name).ledger.get(wanted)
        used.update(asset for asset, row in rows.items() if row.status == "done")
    return used
