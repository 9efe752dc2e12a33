"""The current status of the service: as a document for people, as gauges for Prometheus."""

import importlib.metadata
import shutil
import sys
import time

from api.indexes import indexes
from api.metrics import Measured
from api.schemas.status import (
    CollectionStatus,
    DeviceStatus,
    DiskStatus,
    EncoderStatus,
    ServiceStatus,
)
from api.service import Service
from indexer import Collection, IndexerError, LocalCollection


def status(service: Service) -> ServiceStatus:
    """Everything at once; blocking."""
    collections, unreadable = _collections(service)
    usage = shutil.disk_usage(_existing(service))
    return ServiceStatus(
        version=importlib.metadata.version("polylens"),
        uptime_seconds=round(time.monotonic() - service.since, 1),
        ready=service.ready,
        encoders=[
            EncoderStatus(
                name=encoder.info.name,
                description=encoder.info.description,
                waiting=encoder.waiting,
                workers_replaced=encoder.deaths,
            )
            for encoder in service.installation.encoders
        ],
        heads=list(service.heads.loaded),
        waiting={name: lane.waiting for name, lane in service.lanes.items()},
        collections=collections,
        unreadable=unreadable,
        devices=_devices(),
        disk=DiskStatus(free=usage.free, total=usage.total),
    )


def gauges(service: Service) -> list[Measured]:
    """What is measured when Prometheus asks; blocking."""
    now = status(service)
    each = [(c.name, index) for c in now.collections for index in c.indexes]
    return [
        Measured(
            "queue_depth",
            "Texts and images that wait for an encoder.",
            ("encoder",),
            {(encoder.name,): encoder.waiting for encoder in now.encoders},
        ),
        Measured(
            "workers_replaced",
            "Encoder threads and processes that died and were replaced.",
            ("encoder",),
            {(encoder.name,): encoder.workers_replaced for encoder in now.encoders},
        ),
        Measured(
            "lane_waiting",
            "Calls that wait for a thread.",
            ("lane",),
            {(lane,): waiting for lane, waiting in now.waiting.items()},
        ),
        Measured(
            "collection_points",
            "Points of each collection.",
            ("collection",),
            {(c.name,): c.points for c in now.collections},
        ),
        Measured(
            "collection_bytes",
            "Bytes on the disk of each local collection, without segments.",
            ("collection",),
            {(c.name,): c.bytes for c in now.collections if c.bytes is not None},
        ),
        Measured(
            "segments",
            "Segments of the index, by state: usable or damaged.",
            ("collection", "vector", "state"),
            {
                (name, index.vector, state): sum(s.usable is usable for s in index.segments)
                for name, index in each
                for state, usable in (("usable", True), ("damaged", False))
            },
        ),
        Measured(
            "unsealed_points",
            "Points in no segment, which every search looks at.",
            ("collection", "vector"),
            {(name, index.vector): index.unsealed for name, index in each},
        ),
        Measured(
            "device_memory_bytes",
            "Memory in use on each CUDA device.",
            ("device",),
            {(d.name,): d.memory_used for d in now.devices if d.memory_used is not None},
        ),
        Measured(
            "heads_loaded",
            "Auxiliary models in memory.",
            ("head",),
            {(head,): 1 for head in now.heads},
        ),
        Measured(
            "heads_memory_bytes",
            "Memory of the weights of each.",
            ("head",),
            {(head,): size for head, size in service.heads.loaded.items()},
        ),
        Measured(
            "heads_unloaded",
            "How often each left to make room for another.",
            ("head",),
            {(head,): count for head, count in service.heads.unloaded.items()},
        ),
        Measured("disk_free_bytes", "Free where the data folder lies.", (), {(): now.disk.free}),
    ]


def _collections(service: Service) -> tuple[list[CollectionStatus], list[str]]:
    store = service.installation.store
    found, unreadable = [], []
    for name in store.names():
        try:
            found.append(_collection(store.open(name)))
        except IndexerError:  # dropped meanwhile, or damaged, which doctor tells
            unreadable.append(name)
    return found, unreadable


def _collection(collection: Collection) -> CollectionStatus:
    local = collection if isinstance(collection, LocalCollection) else None
    return CollectionStatus(
        name=collection.name,
        points=collection.count(),
        bytes=local.disk_bytes() if local else None,
        indexes=indexes(collection),
    )


def _devices() -> list[DeviceStatus]:
    torch = sys.modules.get("torch")  # not imported for this alone
    if torch is None or not torch.cuda.is_available():
        return [DeviceStatus(name="cpu", memory_used=None, memory_total=None)]
    return [
        DeviceStatus(
            name=f"cuda:{index}",
            memory_used=torch.cuda.memory_allocated(index),
            memory_total=torch.cuda.get_device_properties(index).total_memory,
        )
        for index in range(torch.cuda.device_count())
    ]


def _existing(service: Service) -> str:
    """The data folder, or the folder where it will be."""
    data = service.installation.settings.data.absolute()
    return str(next(path for path in (data, *data.parents) if path.exists()))
