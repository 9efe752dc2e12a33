"""Clean up after a deleted collection: its thumbnails and unshared uploads."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from api.installation import Installation
from api.media import kept_hash
from indexer import Collection, IndexerError, Status, Store, UnknownCollection

logger = logging.getLogger("polylens")


def drop(installation: Installation, name: str) -> None:
    """Remove a collection and what was kept for it alone; raises `UnknownCollection`."""
    store = installation.store
    try:
        collection = store.open(name)
        installation.calibrations.forget(collection)
        uploads, points = set(_uploads(collection)), _points(collection)
        unused = uploads - _still_used(store, uploads, besides=name)
    except UnknownCollection:
        raise
    except IndexerError as error:
        logger.error("dropping %r: what it used is kept, as not all can be read: %s", name, error)
        unused, points = set(), set()
    store.drop(name)
    for content_hash in unused:
        _unlink(installation, content_hash)
    remove_thumbnails(installation.media / "thumbs", points)


def remove_upload(installation: Installation, content_hash: str) -> None:
    """Remove the file of an upload that no asset of any collection has any more."""
    if not _still_used(installation.store, {content_hash}):
        _unlink(installation, content_hash)


def remove_thumbnails(folder: Path, points: set[str]) -> None:
    """Those of these points, in one walk over the cache: cheaper than looking for each."""
    for thumbnail in folder.glob("??/*.webp"):
        if thumbnail.name[:36] in points:
            thumbnail.unlink(missing_ok=True)


def _unlink(installation: Installation, content_hash: str) -> None:
    (installation.media / content_hash[:2] / content_hash).unlink(missing_ok=True)


def _uploads(collection: Collection, status: Status | None = None) -> Iterator[str]:
    """The hashes of the uploads that a collection has."""
    for row in collection.ledger.rows(status):
        if content_hash := kept_hash(row.asset, row.content_hash):
            yield content_hash


def _points(collection: Collection) -> set[str]:
    found: set[str] = set()
    after: UUID | None = None
    while True:
        page = collection.scroll(limit=1_000, after=after)
        found.update(str(record.id) for record in page.records)
        after = page.next
        if after is None:
            return found


def _still_used(store: Store, hashes: set[str], besides: str | None = None) -> set[str]:
    used: set[str] = set()
    for name in store.names():
        collection = None if name == besides else store.open(name)
        # A file that was ingested may have the same content, so the rows themselves must tell.
        if collection and collection.ledger.by_hash(sorted(hashes)):
            used |= hashes & set(_uploads(collection, "done"))
    return used
