"""How the service stands right now."""

import sys
from collections.abc import Mapping

from api.service import Service
from indexer import IndexerError

Gauges = dict[str, tuple[str, str, Mapping[str, float]]]
"""Name -> (help, label name, label value -> value)."""


def gauges(service: Service) -> Gauges:
    """What is measured when it is asked for; blocking."""
    encoders = service.installation.encoders
    lanes = {"queries": service.queries, "media": service.media, "writes": service.writes}
    return {
        "queue_depth": (
            "Texts and images that wait for an encoder.",
            "encoder",
            {encoder.info.name: encoder.waiting for encoder in encoders},
        ),
        "workers_replaced": (
            "Encoder threads that died and were replaced.",
            "encoder",
            {encoder.info.name: encoder.deaths for encoder in encoders},
        ),
        "lane_waiting": (
            "Calls that wait for a thread.",
            "lane",
            {name: lane.waiting for name, lane in lanes.items()},
        ),
        "collection_points": ("Points of each collection.", "collection", _points(service)),
        "device_memory_bytes": ("Memory in use on each CUDA device.", "device", _memory()),
        "heads_loaded": (
            "Auxiliary models in memory.",
            "head",
            dict.fromkeys(service.heads.loaded, 1.0),
        ),
    }


def _points(service: Service) -> dict[str, float]:
    store, found = service.installation.store, {}
    for name in store.names():
        try:
            found[name] = float(store.open(name).count())
        except IndexerError:  # dropped meanwhile, or damaged, which doctor tells
            continue
    return found


def _memory() -> dict[str, float]:
    torch = sys.modules.get("torch")  # not imported for this alone
    if torch is None or not torch.cuda.is_available():
        return {}
    count = torch.cuda.device_count()
    return {f"cuda:{index}": torch.cuda.memory_allocated(index) for index in range(count)}
