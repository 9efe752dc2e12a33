"""Image files and uploads to upright RGB pictures, within limits."""

import io
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ingestion.colour import to_rgb
from ingestion.errors import MediaError
from ingestion.exif import photo_payload
from ingestion.formats import AVIF, BMP, GIF, HEAD_BYTES, HEIF, JPEG, PNG, TIFF, WEBP, sniff
from ingestion.options import Limits

PLUGINS = {
    JPEG: ("JPEG",),
    PNG: ("PNG",),
    WEBP: ("WEBP",),
    GIF: ("GIF",),
    TIFF: ("TIFF",),
    BMP: ("BMP", "DIB"),
    AVIF: ("AVIF",),
    HEIF: ("HEIF",),
}
TURNED_ON_LOAD = frozenset(("TIFF", "HEIF"))  # their plugins apply the orientation themselves
SIDEWAYS = frozenset((5, 6, 7, 8))  # EXIF orientations that swap width and height
DEFAULT_LIMITS = Limits()
HUSH = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # as `warnings` keeps its filters

Image.MAX_IMAGE_PIXELS = None  # `Limits` is checked instead, per call, before any pixel is decoded


def load_image(
    source: Path | bytes, limits: Limits = DEFAULT_LIMITS, target_size: int | None = None
) -> Image.Image:
    """The first picture of a file or of its bytes: RGB, upright, transparency on white.

    `target_size` is the side in pixels that the picture is used at: a JPEG is then decoded at the
    smallest scale that keeps both sides at least twice that. Raises `MediaError` with the reason.
    """
    return Picture(
        source if isinstance(source, bytes) else read_bytes(source, limits), limits
    ).decode(target_size)


def read_bytes(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """All of a file; raises `MediaError` if it is too large or cannot be read."""
    try:
        with path.open("rb") as file:
            size = min(os.fstat(file.fileno()).st_size, limits.max_bytes)
            data = file.read(size + 1)  # asking for much more than there is costs milliseconds
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror or error}") from error
    _check_bytes(data, limits)
    return data


class Picture:
    """An image whose header has been read and whose pixels have not.

    `width` and `height` are in pixels, upright; `format` is a name such as "JPEG". Raises
    `MediaError` where the header is damaged, or promises more than the limits allow.
    """

    def __init__(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        _hush_pillow()
        _check_bytes(data, limits)
        found = sniff(data[:HEAD_BYTES])
        if found is None:
            raise MediaError("not an image of a supported format" if data else "the file is empty")
        if found not in PLUGINS:
            raise MediaError(f"a video ({found.name}), not an image")
        if found is HEIF:
            _register_heif()
        self.format = found.name
        with _reasons(self.format):
            self._image = Image.open(io.BytesIO(data), formats=PLUGINS[found])
        self._image.decodermaxblock = len(data)  # not piece by piece: all of it is here
        _check_pixels(self._image.size, limits)
        self._exif = self._read_exif()
        self.width, self.height = self._image.size
        if self._orientation() in SIDEWAYS:
            self.width, self.height = self.height, self.width

    def memory(self, target_size: int | None = None) -> int:
        """About how many bytes decoding takes at its peak."""
        self._draft(target_size)
        width, height = self._image.size
        return width * height * 7  # up to four bands, and their copy in RGB

    def decode(self, target_size: int | None = None) -> Image.Image:
        """The picture, see `load_image`."""
        self._draft(target_size)
        with _reasons(self.format):
            self._image.load()
            return to_rgb(self._upright())

    def payload(self) -> dict[str, Any]:
        """`width`, `height`, `format`, and what the camera wrote."""
        size = {"width": self.width, "height": self.height, "format": self.format}
        try:
            return size | photo_payload(self._exif)
        except Exception:  # noqa: BLE001 - damaged EXIF raises nearly anything, and is no reason to fail
            return size

    def _draft(self, target_size: int | None) -> None:
        if target_size is not None:
            self._image.draft(None, (2 * target_size, 2 * target_size))

    def _read_exif(self) -> Image.Exif:
        try:
            return self._image.getexif()
        except Exception:  # noqa: BLE001 - see `payload`
            return Image.Exif()

    def _orientation(self) -> int:
        turned = self.format in TURNED_ON_LOAD
        return 1 if turned else self._exif.get(ExifTags.Base.Orientation, 1)

    def _upright(self) -> Image.Image:
        if self._orientation() == 1:
            return self._image
        try:
            return ImageOps.exif_transpose(self._image)
        except Exception:  # noqa: BLE001 - see `payload`
            return self._image


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise MediaError("the file is empty")
    if len(data) > limits.max_bytes:
        raise MediaError(f"larger than the limit of {limits.max_bytes / 1e6:.0f} MB for an image")


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    pixels = math.prod(size)
    if pixels > limits.max_pixels:
        raise MediaError(
            f"{size[0]} x {size[1]} pixels are {pixels / 1e6:.0f} MP, "
            f"above the limit of {limits.max_pixels / 1e6:.0f} MP"
        )


@contextmanager
def _reasons(format_: str) -> Iterator[None]:
    """Whatever Pillow raises as a `MediaError`; hostile bytes make it raise nearly anything."""
    try:
        yield
    except MemoryError as error:
        raise MediaError("too large for the available memory") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"damaged, or an unsupported kind of {format_}") from error
    except Exception as error:
        raise MediaError(f"the {format_} data is damaged or cut short: {error}") from error


@cache
def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise MediaError(
            "a HEIC picture: install HEIC support (pip install 'polylens[heic]')"
        ) from error
    register_heif_opener()


def _hush_pillow() -> None:
    """Odd files make Pillow warn; that it could read them is all we need to know.

    Done at each call, since the list of filters is swapped by whoever catches warnings.
    """
    if HUSH not in warnings.filters:
        warnings.filterwarnings("ignore", module=HUSH[3].pattern)
