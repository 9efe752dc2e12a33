"""What a Qdrant collection is created with, and how patient we are with its server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from qdrant_client import models

IndexKind = Literal["text", "number", "time", "place"]
"""How a payload key is looked up: by exact values, a range of numbers or instants, or an area."""


def _default_indexes() -> dict[str, IndexKind]:
    return {"kind": "text", "content_hash": "text"}


@dataclass(frozen=True)
class QdrantOptions:
    """Fixed when a collection is created; None leaves the choice to the server.

    `replicas` is the number of copies of each shard, `write_consistency` how many of them
    acknowledge a write: all unless told otherwise, so that every reader sees it. `on_disk` keeps
    the original vectors out of RAM; with `quantization` the small copies stay in it. `indexes` maps
    payload keys that filters use often -> how; the key `asset` has an index always.
    """

    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None
    on_disk: bool = False
    quantization: models.QuantizationConfig | None = None
    indexes: Mapping[str, IndexKind] = field(default_factory=_default_indexes)


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
