"""Thumbnails: small re-encoded pictures of points, created on first request."""

import secrets
from pathlib import Path
from typing import Literal

from PIL import Image

from api.media import Original, Originals
from indexer import Record
from ingestion import Limits, load_image, read_frame

Size = Literal["grid", "screen"]
SIDES: dict[Size, int] = {"grid": 560, "screen": 1600}
"""Longest side in pixels: a tile of the page on a fine display, and a whole display."""

QUALITY = 80
VIDEO_KINDS = ("segment", "video")


class Thumbnails:
    """WebP files in `media/thumbs`, named by point, content and size, so that none goes stale."""

    def __init__(self, media: Path, originals: Originals, limits: Limits) -> None:
        self._folder = media / "thumbs"
        self._originals = originals
        self._limits = limits

    def get(self, record: Record, size: Size) -> Path:
        """The thumbnail's file, made now if need be.

        Raises `Gone` where it was never made and the original is gone, and `MediaError`.
        """
        path = self.path(record, size)
        if not path.exists():
            self._make(record, size, path)
        return path

    def path(self, record: Record, size: Size) -> Path:
        """Where a thumbnail is, once it is made."""
        point = str(record.id)
        content = "".join(filter(str.isalnum, str(record.payload.get("content_hash", ""))))[:16]
        return self._folder / point[:2] / f"{point}-{content}-{size}.webp"

    def _make(self, record: Record, size: Size, path: Path) -> None:
        picture = self._picture(record, self._originals.find(record), SIDES[size])
        picture.thumbnail((SIDES[size], SIDES[size]), Image.Resampling.LANCZOS, reducing_gap=3.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        try:
            picture.save(draft, "WEBP", quality=QUALITY, method=3)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def _picture(self, record: Record, original: Original, side: int) -> Image.Image:
        if record.payload.get("kind") in VIDEO_KINDS:
            return read_frame(original.path, _time(record), side)
        return load_image(original.path, self._limits, side // 2)


def _time(record: Record) -> float:
    """The frame that stands for a segment, or one a tenth into a whole video."""
    frame = record.payload.get("frame")
    return float(frame) if frame is not None else float(record.payload.get("duration", 0)) / 10
