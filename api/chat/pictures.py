"""From the URLs in a chat to pictures: data URIs and stored points. Nothing is fetched."""

import base64
import binascii
import re
from collections.abc import Iterator
from uuid import UUID

from PIL import Image

from api.chat.said import Shown
from api.chat.schemas import ImageUrl, VideoUrl
from api.problems import Refusal
from api.service import Service
from indexer import Record
from ingestion import load_image, read_frame

DATA = re.compile(r"data:(image/[\w.+-]+)?;base64,", re.ASCII)
POINT = re.compile(r"polylens://([a-z0-9][a-z0-9_-]*)/([0-9a-fA-F-]{36})", re.ASCII)
SIDE = 2048
"""Pixels a side that are enough for the most tiles a model takes."""
FRAME_SIDE = 896


class Pictures:
    """Finds the pictures that a chat names; blocking."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def image(self, asked: ImageUrl) -> Shown:
        """Raises `Refusal`, `MediaError`, `UnknownCollection`."""
        detail = asked.detail != "low"
        if DATA.match(asked.url):
            return Shown(self._decoded(asked.url), detail)
        return Shown(self._service.stored.picture(self._record(asked.url)), detail)

    def frames(self, asked: VideoUrl) -> Iterator[Shown]:
        """Frames in the middle of equal spans of a stored video, or of one segment of it."""
        record = self._record(asked.url)
        if record.payload.get("kind") not in ("segment", "video"):
            raise Refusal(400, "not-a-video", f"point {record.id} is not a video: use image_url")
        path = self._service.stored.original(record)
        whole = record.payload.get("duration") or 0
        start = float(record.payload.get("start") or 0)
        end = float(record.payload.get("end") or whole)
        for number in range(asked.frames):
            seconds = start + (end - start) * (number + 0.5) / asked.frames
            yield Shown(read_frame(path, seconds, FRAME_SIDE), detail=False)

    def _decoded(self, url: str) -> Image.Image:
        try:
            data = base64.b64decode(url.partition(",")[2], validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(400, "bad-image", "a data: URI is not valid base64") from None
        image = load_image(data, self._service.limits, SIDE)
        image.thumbnail((2 * SIDE, 2 * SIDE))
        return image

    def _record(self, url: str) -> Record:
        found = POINT.fullmatch(url)
        if found is None:
            raise Refusal(
                400,
                "unknown-url",
                "pictures are taken as data:image/...;base64 URIs, or as stored points: "
                "polylens://COLLECTION/POINT; nothing is fetched from other addresses",
            )
        try:
            point = UUID(found[2])
        except ValueError:
            raise Refusal(400, "unknown-url", f"{found[2]!r} is not a point id") from None
        return self._service.stored.record(found[1], point)
