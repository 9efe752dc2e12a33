"""What a decoding process does: read a file into what the encoder and the collection need."""

import math
import traceback
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from encoders.base import Preprocess
from encoders.errors import EncoderError
from ingestion.errors import MediaError, NotMedia
from ingestion.formats import HEAD_BYTES, Format, identify
from ingestion.hashing import hash_bytes, hash_file
from ingestion.images import Picture, read_bytes
from ingestion.messages import (
    IMAGE,
    Answer,
    Decide,
    Described,
    Looked,
    Part,
    Refused,
    Setup,
    Shown,
)
from ingestion.phash import SIDE, perceptual_hash
from ingestion.segments import Clip


class Reader:
    """Reads one file after another, as `setup` says."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._side = max(input_side(setup.preprocess), SIDE)  # the perceptual hash looks, too
        self.max_seconds = setup.limits.max_seconds

    def read(self, path: Path, decide: Decide) -> Iterator[Answer]:
        """What is to be said of a file; whatever is wrong with it is in the last word."""
        try:
            yield from self._read(path, decide)
        except Exception as error:  # noqa: BLE001 - one hostile file must not end the job
            yield _refusal(error)

    def _read(self, path: Path, decide: Decide) -> Iterator[Answer]:
        with path.open("rb") as file:
            found = identify(path, file.read(HEAD_BYTES))
        if found.kind == "image":
            yield from self._image(path, decide)
        else:
            yield from self._video(path, found, decide)

    def _image(self, path: Path, decide: Decide) -> Iterator[Answer]:
        data = read_bytes(path, self._setup.limits)
        content_hash = hash_bytes(data)
        picture = Picture(data, self._setup.limits)
        cost = picture.memory(self._side) + len(data)
        order = decide(Looked("image", content_hash, cost))
        payload = picture.payload()
        if order.pixels:
            image = picture.decode(self._side)
            payload["phash"] = perceptual_hash(image)
            yield Shown(self._setup.preprocess(image), (IMAGE,))
        yield Described({IMAGE: payload})

    def _video(self, path: Path, found: Format, decide: Decide) -> Iterator[Answer]:
        order = decide(Looked("video", hash_file(path)))
        clip = Clip(path, found, self._setup.limits, self._setup.video, order.finished)
        if not order.pixels:
            yield Described({key: {} for key in clip.all_keys()})
            return
        for image, pools in clip.frames():
            yield Shown(self._setup.preprocess(image, "frame"), pools)
            if part := clip.part():
                yield Part(part)
        yield Described(clip.points(), clip.damage())


def input_side(preprocess: Preprocess) -> int:
    """The side in pixels of the square that an encoder sees, by what it makes of a picture.

    One that sends pictures elsewhere says so itself, as `side`.
    """
    told: int | None = getattr(preprocess, "side", None)
    return told or math.ceil(math.sqrt(preprocess(Image.new("RGB", (64, 64))).size / 3))


def _refusal(error: Exception) -> Refused:
    match error:
        case NotMedia():
            return Refused("skipped", str(error))
        case MediaError() | EncoderError():
            return Refused("failed", str(error))
        case OSError():
            return Refused("failed", f"cannot be read: {error.strerror or error}")
        case MemoryError():
            return Refused("failed", "too large for the available memory")
    trace = traceback.format_exc()
    return Refused("failed", f"unexpected {type(error).__name__}: {error}", trace)
