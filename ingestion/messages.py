"""What the pipeline and the processes that decode for it say to each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # a process that decodes starts faster without the indexer
    from encoders.base import Pixels, Preprocess
    from indexer.base import Kind
    from ingestion.formats import MediaKind
    from ingestion.options import Limits, VideoOptions

PoolKey = tuple["Kind", int]
"""A point of a file: its kind and its start in milliseconds."""

Finished = Mapping[PoolKey, Mapping[str, Any]]
"""Segments of a video that are finished, and what was said of them in a `Part`."""

IMAGE: PoolKey = ("image", 0)
WHOLE: PoolKey = ("video", 0)
TEXT: PoolKey = ("text", 0)


@dataclass(frozen=True)
class Setup:
    """To the process: how to decode from now on."""

    preprocess: "Preprocess"
    limits: "Limits"
    video: "VideoOptions"


@dataclass(frozen=True)
class Ready:
    """The answer to a setup."""


@dataclass(frozen=True)
class Unfit:
    """The other answer to it: this process cannot decode at all."""

    reason: str


@dataclass(frozen=True)
class Task:
    """To the process: decode this file."""

    path: Path


@dataclass(frozen=True)
class Looked:
    """What a file is; decoding it takes `cost` bytes at its peak. It is answered by an `Order`."""

    kind: "MediaKind"
    content_hash: str
    cost: int = 0


@dataclass(frozen=True)
class Order:
    """To the process: go on with the file. Without `pixels`, only tell what its points say.

    `finished` are segments of a video that need not be read again, and what was said of them.
    """

    pixels: bool = True
    finished: Finished = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """An image ready for the encoder, and the points it is part of."""

    pixels: "Pixels"
    pools: tuple[PoolKey, ...]


@dataclass(frozen=True)
class Part:
    """Segments of a video whose frames have all been shown: what each of their points says."""

    points: Mapping[PoolKey, dict[str, Any]]


@dataclass(frozen=True)
class Described:
    """The end of a file: what each of its points says, and what was wrong with it."""

    points: Mapping[PoolKey, dict[str, Any]]
    reason: str = ""


@dataclass(frozen=True)
class Refused:
    """The other end: a file that cannot be used. `trace` tells of an error nobody expected."""

    status: Literal["failed", "skipped"]
    reason: str
    trace: str = ""


@dataclass(frozen=True)
class Rest:
    """To the process: nobody needs you now; leave if that lasts."""

    seconds: float = 60.0


Answer = Shown | Part | Described | Refused
Decide = Callable[[Looked], Order]
"""What the pipeline makes of a file once it was looked at."""
