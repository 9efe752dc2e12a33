"""Load pictures of stored points for models."""

from pathlib import Path
from uuid import UUID

from PIL import Image

from api.installation import Installation
from api.media import Gone, Originals
from api.problems import Refusal
from api.thumbnails import Thumbnails
from indexer import Hit, Record
from ingestion import Limits, MediaError


class Stored:
    """Points of one installation and what they show; blocking."""

    def __init__(
        self, installation: Installation, originals: Originals, thumbnails: Thumbnails
    ) -> None:
        self._installation = installation
        self._originals = originals
        self._thumbnails = thumbnails

    def record(self, collection: str, point: UUID) -> Record:
        """Raises `UnknownCollection`, and `Refusal` (404) where there is no such point."""
        records = self._installation.store.open(collection).get([point])
        if not records:
            raise Refusal(404, "unknown-point", f"collection {collection} has no point {point}")
        return records[0]

    def picture(self, record: Record) -> Image.Image:
        """What stands for a point, RGB, at most 1600 pixels a side; `Refusal` (410) if gone."""
        try:
            path = self._thumbnails.get(record, "screen")
        except Gone as error:
            raise Refusal(410, "gone", f"point {record.id}: {error}") from error
        with Image.open(path) as image:
            return image.convert("RGB")

    def original(self, record: Record) -> Path:
        """The file of a point; raises `Refusal` (410) if it is gone."""
        try:
            return self._originals.find(record).path
        except Gone as error:
            raise Refusal(410, "gone", f"point {record.id}: {error}") from error


def picture_of(installation: Installation, point: Hit | Record) -> Image.Image | None:
    """What stands for a point, RGB, at most 560 pixels a side; None where that cannot be had."""
    limits = Limits(max_pixels=installation.settings.max_image_pixels)
    thumbnails = Thumbnails(installation.media, Originals(installation), limits)
    try:
        path = thumbnails.get(Record(point.id, point.asset, point.payload), "grid")
    except (Gone, MediaError, Refusal):
        return None
    with Image.open(path) as image:
        return image.convert("RGB")
