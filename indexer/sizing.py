"""How large collections become, how long they take to build, how fast they are searched.

Every constant was measured where docs/scaling.md says, on one kind of machine; take what comes out
for the order of magnitude, and sizes for a few percent.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from indexer.base import Payload
from indexer.local.faiss_index import has_two_bits, lists_of
from indexer.payload import encode, entries
from indexer.qdrant.payloads import stored
from indexer.words import words_of

GIB, TB = 2**30, 10**12

ASSET = "file:///mnt/photos/2024/IMG_000123.jpg"
PAYLOAD: Payload = {
    "kind": "image",
    "name": "IMG_000123.jpg",
    "folder": "/mnt/photos/2024",
    "size": 2_004_551,
    "mtime_ns": 1_700_000_151_851_851_723,
    "content_hash": "9b871512327c09ce91dd649b3f96a63b7408ef267c8cc5710114e629730cb61f",
    "width": 4032,
    "height": 3024,
    "format": "JPEG",
    "taken": "2024-04-12T03:03:11Z",
    "camera": "Fujifilm X100V",
    "location": {"lat": 52.5200066, "lon": 13.4049541},
}
"""Those of a photo with EXIF, as ingestion writes them."""


@dataclass(frozen=True)
class Load:
    """What is to be kept: `items` points, each a file of its own.

    `dims` maps vector name -> dimension; locally the first alone has an index. `asset` and
    `payload` are those of a typical point.
    """

    items: int
    dims: Mapping[str, int]
    asset: str = ASSET
    payload: Payload = field(default_factory=lambda: PAYLOAD)


@dataclass(frozen=True)
class Machine:
    """RAM and disk are in bytes."""

    ram: int = 64 * GIB
    disk: int = 2 * TB
    cores: int = 8


@dataclass(frozen=True)
class Estimate:
    """One way of keeping a load.

    `ram` and `disk` are bytes over all nodes and replicas; `build_seconds` is what the index takes
    beside encoding; `qps` are searches a second over all cores, None where never measured. `fits`
    says whether the nodes have the room.
    """

    backend: Literal["local", "qdrant"]
    index: str
    ram: int
    disk: int
    nodes: int
    shards: int
    build_seconds: float
    qps: float | None
    fits: bool


def estimates(load: Load, machine: Machine, replicas: int = 1) -> list[Estimate]:
    """Every way of keeping the load, local ones first. `replicas` are Qdrant's copies, >= 1."""
    local = [_local(kind, load, machine) for kind in LOCAL]
    return [*local, *(_qdrant(kind, load, machine, replicas) for kind in QDRANT)]


# Rates and times are those of one core and dimension 768, and grow with the dimension.


@dataclass(frozen=True)
class LocalKind:
    """A FAISS index: a vector takes `per_dim * dim + fixed` bytes; `added` a second.

    `search` is seconds among a million vectors, `growth(items)` how much longer it takes among
    others. With `lists`, which grow in number with sqrt(items), each has room for `spare` more
    vectors.
    """

    name: str
    per_dim: float
    fixed: float
    added: float
    search: float
    growth: Callable[[float], float]
    lists: bool = False
    spare: int = 0

    def size(self, dim: int) -> float:
        return self.per_dim * dim + self.fixed


def _linear(items: float) -> float:
    return items / 1e6


def _root(items: float) -> float:
    return math.sqrt(items / 1e6)


def _log(items: float) -> float:
    return math.log(max(items, 2.0)) / math.log(1e6)


LOCAL: Sequence[LocalKind] = (
    # Blocks of 32: on average half of one is spare.
    LocalKind("exact", 0, 0, math.inf, 0.320, _linear),
    LocalKind("rabitq", 1 / 8, 16, 204_000, 0.022, _linear),
    LocalKind("ivf-rabitq", 1 / 8, 16, 34_000, 0.0012, _root, lists=True, spare=16),
    LocalKind("ivf-sq8", 1, 8, 7_000, 0.0025, _root, lists=True),
    LocalKind("hnsw-sq8", 1, 4 * 32 + 16, 750, 0.00047, _log),
)

_TWO_BITS = {
    "rabitq": LocalKind("rabitq", 1 / 4, 28, 3_900, 0.043, _linear),
    "ivf-rabitq": LocalKind("ivf-rabitq", 1 / 4, 28, 2_700, 0.0016, _root, lists=True, spare=16),
}
"""These instead, where a machine has the memory for codes of 2 bits."""

_TRAINING = 110.0
"""Seconds of one core to find 8000 lists of a million vectors, in a sample that grows with the root
of their number."""
_VIEW = 9
"""Bytes that a process remembers of each point, and of each of its vectors."""


def index_bytes(kind: LocalKind, items: int, dim: int) -> float:
    """Of the index over all items, on disk and in RAM alike."""
    if not kind.lists:
        return items * kind.size(dim)
    lists = lists_of(kind.name, items)
    return items * kind.size(dim) + lists * (4 * dim + kind.spare * kind.size(dim))


def raw_bytes(load: Load) -> int:
    """Of the vectors themselves."""
    return 4 * load.items * sum(load.dims.values())


def database_bytes(load: Load) -> float:
    """Of the SQLite file: points, what filters look up, the ledger; for each point by its texts.

    The factors are how full SQLite's pages are.
    """
    asset, text = len(load.asset.encode()), len(encode(load.payload, "payload").encode())
    looked_up = sum(len(key) + 11 + _width(value) for key, _, value in entries(load.payload))
    points = 1.04 * (36 + asset + text) + 27 + (8.5 + 1.2 * asset)
    ledger = (187 + 1.22 * asset) + (10 + 1.2 * asset) + (78 + 1.23 * asset)
    each = points + 1.13 * looked_up + ledger + _words_bytes(load.payload) + 16 * len(load.dims)
    return load.items * each


def _words_bytes(payload: Payload) -> float:
    """What the search by words keeps of one point: its words, and where each of them occurs."""
    found = words_of(payload)
    return 1.04 * (len(" ".join(found.held).encode()) + 20) + 4.5 * found.size if found else 0.0


def _width(value: object) -> int:
    """Bytes of a value in SQLite."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    return 8 if isinstance(value, float) else (int(str(value)).bit_length() + 8) // 8


def fitted(kind: LocalKind, items: int, dim: int, ram: int) -> LocalKind:
    """What `auto` builds of this kind on a machine with so many bytes of RAM."""
    return _TWO_BITS.get(kind.name, kind) if has_two_bits(items, dim, ram) else kind


def _local(kind: LocalKind, load: Load, machine: Machine) -> Estimate:
    dim = next(iter(load.dims.values()))
    kind = fitted(kind, load.items, dim, machine.ram)
    index, scale = index_bytes(kind, load.items, dim), dim / 768
    view = _VIEW * load.items * (1 + len(load.dims))
    # The exact scan is fast only over vectors in memory; the others read some hundred of them.
    warm = 4 * dim * load.items if kind.name == "exact" else 0
    ram, disk = view + index + warm, raw_bytes(load) + database_bytes(load) + index
    build = (_training(kind, load.items) + load.items / kind.added) * scale / machine.cores
    # Memory has one bandwidth, however many cores share it.
    cores = 1 if kind.name == "exact" else machine.cores
    qps = cores / (kind.search * kind.growth(load.items) * scale)
    fits = ram <= machine.ram and disk <= machine.disk
    return Estimate("local", kind.name, round(ram), round(disk), 1, 1, build, qps, fits)


def _training(kind: LocalKind, items: int) -> float:
    """Seconds of one core."""
    if not kind.lists:
        return 0.0
    return _TRAINING * lists_of(kind.name, items) / 8000 * _root(items)


@dataclass(frozen=True)
class QdrantKind:
    """A quantization: a vector takes `ram * dim` bytes, on disk `disk * dim`; `built` a second.

    `search` is seconds in one shard of a million; None was never measured.
    """

    name: str
    ram: float
    disk: float
    built: float
    search: float | None


QDRANT: Sequence[QdrantKind] = (
    QdrantKind("float32", 4, 4, 820, 0.00088),
    QdrantKind("int8", 1, 5, 1500, 0.00083),
    QdrantKind("binary", 1 / 8, 4 + 1 / 8, 1500, None),
)

_GRAPH_RAM, _GRAPH_DISK = 330, 160
"""Bytes for each vector: the graph, ids and what surrounds them."""
_RAM_USED, _DISK_USED = 0.75, 0.55
"""Of a node: the rest is for the system; on disk, for a shard that is being rewritten."""
_SHARD = 20_000_000
"""Most points of a shard."""


def payload_bytes(load: Load) -> int:
    """Of one point's payload in Qdrant, with its terms."""
    return len(json.dumps(stored(load.asset, load.payload), ensure_ascii=False).encode())


def _qdrant(kind: QdrantKind, load: Load, machine: Machine, replicas: int) -> Estimate:
    dims, copies = load.dims.values(), replicas * load.items
    ram = copies * sum(kind.ram * dim + _GRAPH_RAM for dim in dims)
    vectors = sum(kind.disk * dim + _GRAPH_DISK for dim in dims)
    disk = copies * (vectors + payload_bytes(load))
    by_ram = math.ceil(ram / (_RAM_USED * machine.ram))
    nodes = max(replicas, by_ram, math.ceil(disk / (_DISK_USED * machine.disk)))
    shards = nodes * math.ceil(load.items / (nodes * _SHARD))
    cores, scale = nodes * machine.cores, sum(dims) / 768
    build = copies * scale / (kind.built * cores)
    qps = None
    if kind.search is not None:
        dim = next(iter(dims))
        once = kind.search * _log(load.items / shards) * dim / 768
        qps = cores / (shards * once)
    return Estimate("qdrant", kind.name, round(ram), round(disk), nodes, shards, build, qps, True)
