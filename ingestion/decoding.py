"""The first stage: files to images and frames ready for the encoder."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from PIL import Image

from encoders import Encoder, EncoderError, Pixels
from indexer.base import Collection, Payload
from indexer.ledger import Status
from ingestion.errors import MediaError, NotMedia
from ingestion.formats import HEAD_BYTES, Format, identify
from ingestion.images import Picture, read_bytes
from ingestion.jobs import Frame, Job, Outcome, PoolKey, hash_bytes, hash_file
from ingestion.options import Fingerprints, IngestOptions
from ingestion.patience import Patience
from ingestion.payloads import point_payload
from ingestion.pipes import Stopped, Window
from ingestion.progress import Meter
from ingestion.segments import Clip
from ingestion.twins import Twins

log = logging.getLogger(__name__)
IMAGE: PoolKey = ("image", 0)


class Decoder:
    """Decodes one file after another, in as many threads as call it."""

    def __init__(
        self,
        encoder: Encoder,
        collection: Collection,
        options: IngestOptions,
        window: Window,
        meter: Meter,
        patience: Patience,
    ) -> None:
        self._encoder = encoder
        self._options = options
        self._window = window
        self._meter = meter
        self._current = Fingerprints.of(encoder.info, options)
        names = tuple(collection.schema.vectors)
        self._twins = Twins(collection, names, self._current.image, patience)
        self._side = input_side(encoder)

    def decode(self, job: Job) -> Iterator[Frame | Outcome]:
        """The frames of a file, then its outcome; whatever is wrong with the file is in that.

        Each frame's cost has been taken from the window.
        """
        seen = _Seen(self._current.image)
        try:
            job.check()
            yield from self._decode(job, seen)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 - one hostile file must not end the job
            yield seen.outcome(job, *_judge(error, job))

    def _decode(self, job: Job, seen: "_Seen") -> Iterator[Frame | Outcome]:
        with job.item.path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        found = identify(job.item.path, head)
        if found.kind == "image":
            yield from self._image(job, seen)
        else:
            yield from self._video(job, seen, found)

    def _image(self, job: Job, seen: "_Seen") -> Iterator[Frame | Outcome]:
        data = read_bytes(job.item.path, self._options.limits)
        seen.content_hash = hash_bytes(data)
        if seen.is_known(job):
            yield _touched(job, seen, [IMAGE])
            return
        picture = Picture(data, self._options.limits)
        payload = point_payload("image", job, seen.content_hash, picture.payload())
        outcome = seen.outcome(job, "done", points={IMAGE: payload})
        vectors = self._twins.vectors(job, seen.content_hash)
        if vectors is not None:
            yield replace(outcome, vectors={IMAGE: vectors})
            return
        pixels = self._pixels(picture)
        yield Frame(job, pixels, (IMAGE,), pixels.nbytes)
        yield outcome

    def _video(self, job: Job, seen: "_Seen", found: Format) -> Iterator[Frame | Outcome]:
        seen.fingerprint = self._current.video
        seen.content_hash = hash_file(job)
        clip = Clip(job.item.path, found, self._options)
        if seen.is_known(job):
            yield _touched(job, seen, clip.keys())
            return
        for image, pools in clip.frames():
            pixels = self._encoder.preprocess(image, "frame")
            self._meter.add(0, -self._window.take(pixels.nbytes))
            yield Frame(job, pixels, pools, pixels.nbytes)
        points = {
            key: point_payload(key[0], job, seen.content_hash, media)
            for key, media in clip.points().items()
        }
        yield seen.outcome(job, "done", clip.damage(), points)

    def _pixels(self, picture: Picture) -> Pixels:
        cost = picture.memory(self._side)
        self._meter.add(0, -self._window.take(cost))
        try:
            pixels = self._encoder.preprocess(picture.decode(self._side))
        except BaseException:
            self._window.give_back(cost)
            raise
        self._window.give_back(cost - pixels.nbytes)
        return pixels


@dataclass
class _Seen:
    """What is known of a file so far, for its ledger row."""

    fingerprint: str
    content_hash: str = ""

    def is_known(self, job: Job) -> bool:
        """Whether the points in the collection are of this very content, made the same way."""
        old = job.old
        return (
            old is not None
            and old.status == "done"
            and (old.content_hash, old.fingerprint) == (self.content_hash, self.fingerprint)
        )

    def outcome(
        self,
        job: Job,
        status: Status,
        reason: str = "",
        points: Mapping[PoolKey, Payload] = MappingProxyType({}),
    ) -> Outcome:
        return Outcome(job, status, reason, self.content_hash, self.fingerprint, points)


def _touched(job: Job, seen: _Seen, keys: Iterable[PoolKey]) -> Outcome:
    """Of a file whose time alone is new."""
    reason = job.old.reason if job.old else ""
    return replace(seen.outcome(job, "done", reason, {key: {} for key in keys}), touched=True)


def input_side(encoder: Encoder) -> int:
    """The side in pixels of the square that an encoder sees, by what it makes of a picture."""
    return math.ceil(math.sqrt(encoder.preprocess(Image.new("RGB", (64, 64))).size / 3))


def _judge(error: Exception, job: Job) -> tuple[Status, str]:
    match error:
        case NotMedia():
            return "skipped", str(error)
        case MediaError() | EncoderError():
            return "failed", str(error)
        case OSError():
            return "failed", f"cannot be read: {error.strerror or error}"
        case MemoryError():
            return "failed", "too large for the memory there is"
    log.error("unexpected, in %s", job.item.asset, exc_info=error)
    return "failed", f"unexpected {type(error).__name__}: {error}"
