"""Job requests: check them and turn them into sources and options."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from api.admission import admitted
from api.bulk import needs_of
from api.ingested import SCHEME, Ingested
from api.installation import Installation
from api.payloads import upload_item
from api.problems import Refusal
from api.retention import remove_upload
from api.schemas.jobs import JobOptions, JobRequest
from api.video import NAMES
from encoders import Modality
from ingestion import (
    IngestOptions,
    Item,
    Journal,
    Limits,
    Reach,
    Source,
    SourceOptions,
    VideoOptions,
    open_source,
)
from ingestion.items import local_path, scheme_of
from ingestion.reach import NotAllowed
from ingestion.sources import IMAGES


class Order(JobOptions):
    """As the journal keeps it: `sources` are URIs, `uploads` map assets to the names they had.

    `payloads` of theirs are those that came with them.
    """

    sources: list[str] = Field([])
    uploads: dict[str, str] = Field({})
    payloads: dict[str, dict[str, Any]] = Field({})

    @property
    def told(self) -> dict[str, Any]:
        """The options that were given."""
        return self.model_dump(exclude_defaults=True, exclude={"sources", "uploads", "payloads"})

    @property
    def uris(self) -> list[str]:
        """What it is about."""
        return [*self.sources, *self.uploads]

    def video(self, usual: VideoOptions) -> VideoOptions:
        """How its videos become vectors: as it says, and where it says nothing as usual."""
        given = self.model_dump(include=set(NAMES), exclude_none=True)
        return replace(usual, **{NAMES[name]: value for name, value in given.items()})


class Orders:
    """Takes and opens the orders of one installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def take(self, request: JobRequest) -> Order:
        """The order, where everything it names may be read. Raises `Refusal`."""
        reach = self._reach()
        uris = [_admitted(name, reach) for name in request.sources]
        return Order(sources=uris, **request.model_dump(exclude={"sources", "dry_run"}))

    def open(self, order: Order) -> list[Source]:
        """Its sources, which only now are looked into. Raises `IngestError`."""
        listing = SourceOptions(
            tuple(order.include),
            tuple(order.exclude),
            order.follow_symlinks,
            order.texts,
            self._reach(),
        )
        named = [self._source(uri, listing) for uri in order.sources]
        media, said = self._installation.media, order.payloads
        uploads = [Upload(it, name, said.get(it, {}), media) for it, name in order.uploads.items()]
        return [*named, *uploads]

    def options(self, order: Order, sources: list[Source]) -> IngestOptions:
        """How its sources are ingested."""
        settings = self._installation.settings
        max_bytes = settings.max_upload_bytes if order.uploads else Limits.max_bytes
        return IngestOptions(
            limits=Limits(max_bytes, settings.max_image_pixels),
            video=order.video(settings.video),
            retry_failed=order.retry_failed,
            retry_reason=order.reason,
            force=order.force,
            needs=needs_of(sources),
        )

    def tidy(self, order: Order) -> None:
        """Remove uploads that came to nothing, unless another job is to do something with them."""
        wanted = {
            asset
            for request in Journal(self._installation.settings.data).requests()
            for asset in Order.model_validate_json(request).uploads
        }
        for asset in order.uploads.keys() - wanted:
            remove_upload(self._installation, asset.removeprefix("media:"))

    def _source(self, uri: str, listing: SourceOptions) -> Source:
        if uri.startswith(SCHEME):
            return Ingested(self._installation, uri.removeprefix(SCHEME))
        return open_source(uri, listing)

    def _reach(self) -> Reach:
        settings = self._installation.settings
        return Reach(
            tuple(settings.fetch_hosts),
            tuple(settings.fetch_private_hosts),
            tuple(self._installation.roots.all()),
        )


class Upload:
    """One file that was uploaded; satisfies `Source`."""

    root: Path | None = None
    needs: frozenset[Modality] = IMAGES

    def __init__(self, asset: str, name: str, payload: dict[str, Any], media: Path) -> None:
        self.uri = asset
        self._name = name
        self._payload = payload
        self._media = media

    def __iter__(self) -> Iterator[Item]:
        content_hash = self.uri.removeprefix("media:")
        path = self._media / content_hash[:2] / content_hash
        return iter([upload_item(self.uri, path, self._name, self._payload)])

    def is_gone(self, asset: str) -> bool:  # noqa: ARG002
        return False


def _admitted(name: str, reach: Reach) -> str:
    """The URI of a path, or a URL; raises `Refusal`."""
    scheme = scheme_of(name)
    if scheme not in ("", "file"):
        try:
            reach.check(name)
        except NotAllowed as error:
            raise Refusal(403, "not-allowed", str(error)) from error
        return name
    path = local_path(name) if scheme else Path(name)
    if path is None or not path.is_absolute() or "\0" in name:
        raise Refusal(422, "not-a-path", f"{name!r:.200} is neither an absolute path nor a URL")
    return admitted(str(path), reach).as_uri()
