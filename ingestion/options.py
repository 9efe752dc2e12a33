"""How to ingest."""

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from encoders import EncoderInfo, Modality
from encoders.fingerprint import digest

if TYPE_CHECKING:
    from ingestion.jobs import Standing

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits per file: `max_bytes` of an image file, `max_pixels` when decoded.

    `max_seconds` is how long decoding may go without a result: a whole image, or the next frame of
    a video. `max_fetched_bytes` limits each fetched file, including videos.
    """

    max_bytes: int = 512 * MIB
    max_pixels: int = 200_000_000
    max_seconds: float = 60.0
    max_fetched_bytes: int = 16 << 30


@dataclass(frozen=True)
class VideoOptions:
    """How a video becomes vectors.

    The whole video is the mean of `frames` uniform ones; each segment of `segment_seconds` is the
    mean of `segment_frames` in it. InternVL's published video retrieval used 8 frames. With
    `shots`, segments also end at hard cuts, which decodes all frames a second time. With
    `keyframes`, only key frames are used, which is many times faster.
    """

    frames: int = 8
    segment_seconds: float = 4.0
    segment_frames: int = 4
    shots: bool = False
    keyframes: bool = False


def default_workers(shares: int = 1) -> int:
    """Decoding processes: one a core, to 16, for each of so many that share this machine."""
    return max(1, min((os.cpu_count() or 1) // shares, 16))


@dataclass(frozen=True)
class IngestOptions:
    """How to ingest; of these, only `video` affects what is stored.

    `workers` is the number of decoding processes. The encoder gets up to `batch_size` images at
    once, by default as many as keep all its devices busy. Pixels being decoded or waiting take up
    to `window_bytes`. Failed files are retried when they change, or with `retry_failed` if their
    reason contains `retry_reason`. `force` processes everything again. `needs` are the encoder
    towers that the items require: image for media, text for texts.
    """

    workers: int = field(default_factory=default_workers)
    batch_size: int | None = None
    window_bytes: int = 512 * MIB
    limits: Limits = field(default_factory=Limits)
    video: VideoOptions = field(default_factory=VideoOptions)
    retry_failed: bool = False
    retry_reason: str = ""
    force: bool = False
    needs: frozenset[Modality] = frozenset({"image"})

    def wants(self, standing: "Standing", reason: str) -> bool:
        """Whether an item of that standing is done; `reason` is why it failed before."""
        if standing == "failed before":
            retried = self.retry_failed and self.retry_reason.lower() in reason.lower()
            return retried or self.force
        return standing != "unchanged" or self.force


@dataclass(frozen=True)
class Fingerprints:
    """What makes stored vectors current, per kind of file: the encoder and the options."""

    image: str
    video: str
    text: str

    @classmethod
    def of(cls, info: EncoderInfo, options: IngestOptions) -> "Fingerprints":
        parts = {name: info.fingerprint.get(name, "") for name in ("vectors", "image")}
        words = {name: info.fingerprint.get(name, "") for name in ("vectors", "text")}
        return cls(
            image=digest("image 1", parts),
            video=digest("video 1", parts, asdict(options.video)),
            text=digest("text 1", words),
        )

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in (self.image, self.video, self.text)
