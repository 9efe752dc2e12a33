"""Uploads into a collection: stored by content hash, then ingested like any other file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from api.installation import Installation
from api.jobs import Jobs
from api.media import Originals, kept_hash
from api.orders import Order
from api.payloads import check_said, upload_item
from api.problems import Refusal
from api.retention import remove_upload
from api.schemas.assets import TextItem, UploadItem, UploadReport
from api.texts import text_item
from api.uploads import Upload
from indexer import Collection, point_id
from indexer.local.filesystem import sync_file, sync_folder
from ingestion import FileEvent, IngestOptions, Item, Limits, MediaError, NotMedia, ingest
from ingestion.formats import HEAD_BYTES, Format, identify
from ingestion.payloads import title
from ingestion.sources import TEXTS


class Intake:
    """Takes uploads into the collections of one installation."""

    def __init__(
        self, installation: Installation, originals: Originals, limits: Limits, jobs: Jobs
    ) -> None:
        self._installation = installation
        self._jobs = jobs
        self._originals = originals
        self._options = IngestOptions(
            limits=limits, video=installation.settings.video, retry_failed=True
        )

    def take(self, collection: Collection, uploads: Sequence[Upload]) -> UploadReport:
        """Ingest uploads, now or by a job; one outcome for each, in their order.

        A bad file fails alone. Raises `Refusal` (429) where too many jobs wait.
        """
        looks = [_look(upload, self._options.limits) for upload in uploads]
        if not self._takes_long(looks):
            return UploadReport(items=self._now(collection, uploads, looks))
        pairs = list(zip(uploads, looks, strict=True))
        good = [upload for upload, look in pairs if not isinstance(look, UploadItem)]
        job = self._queue(collection, good)
        items = [
            _or(look, UploadItem(name=u.name, status="queued", asset=u.asset)) for u, look in pairs
        ]
        return UploadReport(items=items, job=job)

    def take_texts(self, collection: Collection, texts: Sequence[TextItem]) -> UploadReport:
        """Make texts searchable, each a point of its own; one outcome for each, in their order.

        A bad one fails alone. Raises `TowerMissing` where the encoder takes no texts.
        """
        items: dict[str, Item] = {}
        looks = [_look_at(text, items) for text in texts]
        before = collection.ledger.get(list(items))
        events = self._events(collection, items, replace(self._options, needs=TEXTS))
        for asset, row in before.items():  # an upload that a text took the place of
            old = kept_hash(asset, row.content_hash)
            if old and asset in events:
                remove_upload(self._installation, old)
        return UploadReport(
            items=[
                look
                if isinstance(look, UploadItem)
                else _outcome(collection, title(look.text), look.asset, events.get(look.asset))
                for look in looks
            ]
        )

    def put(self, collection: Collection, upload: Upload) -> tuple[UploadItem, bool]:
        """Make an upload the content of its asset; and whether there was none before.

        One that cannot be used changes nothing; raises `Refusal` (413, 415, 422).
        """
        try:
            check_said(upload.payload, "file")
        except MediaError as error:
            raise Refusal(422, "invalid-payload", str(error)) from error
        before = collection.ledger.get([upload.asset]).get(upload.asset)
        [item] = self._now(collection, [upload], [_look(upload, self._options.limits)])
        if item.status in ("done", "unchanged"):
            old = kept_hash(upload.asset, before.content_hash) if before else None
            if old and old != upload.content_hash:
                remove_upload(self._installation, old)
            return item, before is None
        if before:
            collection.ledger.record([before])  # what is stored is still what it tells of
        else:
            collection.ledger.remove([upload.asset])
        raise _refused(upload, item)

    def _takes_long(self, looks: Sequence[UploadItem | Format]) -> bool:
        formats = [look for look in looks if not isinstance(look, UploadItem)]
        is_many = len(formats) > self._installation.settings.max_sync_files
        return is_many or any(format_.kind == "video" for format_ in formats)

    def _now(
        self,
        collection: Collection,
        uploads: Sequence[Upload],
        looks: Sequence[UploadItem | Format],
    ) -> list[UploadItem]:
        pairs = list(zip(uploads, looks, strict=True))
        good = [upload for upload, look in pairs if not isinstance(look, UploadItem)]
        events = self._ingest(collection, good)
        return [
            _or(look, _outcome(collection, u.name, u.asset, events.get(u.asset)))
            for u, look in pairs
        ]

    def _queue(self, collection: Collection, uploads: Sequence[Upload]) -> int:
        """Keep them, and let a job do the rest."""
        new = [upload for upload in uploads if self._keep(upload)]
        order = Order(
            uploads={u.asset: u.name for u in uploads},
            payloads={u.asset: u.payload for u in uploads if u.payload},
            retry_failed=True,
        )
        try:
            return self._jobs.queue(collection.name, order).id
        except BaseException:
            for upload in new:
                self._originals.upload(upload.content_hash).unlink()
            raise

    def _ingest(self, collection: Collection, uploads: Sequence[Upload]) -> dict[str, FileEvent]:
        """What happened to each asset; those that were there already are left out."""
        new = {upload.asset for upload in uploads if self._keep(upload)}
        items = {upload.asset: self._item(upload) for upload in uploads}
        events = self._events(collection, items, self._options)
        for asset in new:
            if asset in events and events[asset].status != "done":
                items[asset].path.unlink()
        return events

    def _events(
        self, collection: Collection, items: Mapping[str, Item], options: IngestOptions
    ) -> dict[str, FileEvent]:
        encoder = self._installation.encoder(collection)
        progress = ingest(list(items.values()), encoder, collection, options)
        return {step.event.asset: step.event for step in progress if step.event}

    def _item(self, upload: Upload) -> Item:
        path = self._originals.upload(upload.content_hash)
        return upload_item(upload.asset, path, upload.name, upload.payload)

    def _keep(self, upload: Upload) -> bool:
        """Move an upload to its place, durably; False where that content is there already."""
        path = self._originals.upload(upload.content_hash)
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        sync_file(upload.path)
        upload.path.replace(path)
        sync_folder(path.parent)
        return True


def _look(upload: Upload, limits: Limits) -> UploadItem | Format:
    """The outcome of a file that is not worth keeping, the format of any other."""
    if upload.too_large:
        reason = f"larger than the limit of {limits.max_bytes:,} bytes"
        return UploadItem(name=upload.name, status="failed", reason=reason)
    with upload.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        check_said(upload.payload, "file")
        return identify(Path(upload.name), head)
    except NotMedia as error:
        return UploadItem(name=upload.name, status="skipped", reason=str(error))
    except MediaError as error:
        return UploadItem(name=upload.name, status="failed", reason=str(error))


def _or(look: UploadItem | Format, item: UploadItem) -> UploadItem:
    return look if isinstance(look, UploadItem) else item


def _refused(upload: Upload, item: UploadItem) -> Refusal:
    if upload.too_large:
        return Refusal(413, "too-large", item.reason)
    if item.status == "skipped":
        return Refusal(415, "not-media", item.reason)
    return Refusal(422, "unreadable-media", item.reason)


def _look_at(given: TextItem, items: dict[str, Item]) -> UploadItem | Item:
    """The outcome of a text that is no good; any other, which joins the items by its asset."""
    try:
        item = text_item(given)
        if items.setdefault(item.asset, item) != item:
            raise MediaError("an earlier item of this request has the same id")
    except MediaError as error:
        return UploadItem(name=title(given.text), status="failed", reason=str(error))
    return item


def _outcome(collection: Collection, name: str, asset: str, event: FileEvent | None) -> UploadItem:
    if event and event.status != "done":
        return UploadItem(name=name, status=event.status, reason=event.reason)
    return UploadItem(
        name=name,
        status="done" if event else "unchanged",
        reason=event.reason if event else "this content is in the collection already",
        asset=asset,
        point=_main_point(collection, asset),
    )


def _main_point(collection: Collection, asset: str) -> UUID | None:
    """The point of an image or a text, or of a video as a whole."""
    records = collection.get([point_id(asset, kind) for kind in ("image", "video", "text")])
    return records[0].id if records else None
