"""Options for storage and search on a Qdrant server, and for retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

IndexKind = Literal["text", "number", "time", "place"]
"""How a payload key is looked up: by exact values, a range of numbers or instants, or an area."""

Quantization = Literal["int8", "binary"]
"""Small copies of the vectors that are searched first: a quarter of the size, or a 32nd."""


def default_indexes() -> dict[str, IndexKind]:
    return {"kind": "text", "content_hash": "text"}


@dataclass(frozen=True)
class QdrantOptions:
    """The first six are fixed when a collection is created; None leaves the choice to the server.

    `replicas` is the number of copies of each shard, `write_consistency` how many of them
    acknowledge a write: all unless told otherwise, so that every reader sees it. `on_disk` keeps
    the original vectors and the indexes of payloads out of RAM; with `quantization` the small
    copies stay in it. `indexes` maps payload keys that filters use often -> how; the key `asset`
    has an index always.

    A search among small copies takes `oversampling` times as many as it wants, 1 or more, and
    scores them again by the original vectors. A request stores at most `batch` points.
    """

    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None
    on_disk: bool = False
    quantization: Quantization | None = None
    indexes: Mapping[str, IndexKind] = field(default_factory=default_indexes)
    oversampling: float = 2.0
    batch: int = 500


@dataclass(frozen=True)
class Patience:
    """How long a call may take and how often it is repeated.

    `timeout` is in seconds, for one attempt. Before attempt n + 1 there is a pause of 0 to
    `pause` * 2**n seconds, at most `longest_pause`, or what the server asks for up to that.
    """

    timeout: int = 30
    attempts: int = 6
    pause: float = 0.25
    longest_pause: float = 10.0
