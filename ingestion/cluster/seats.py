"""How many encoders a cluster holds, and what each of them takes of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.errors import IngestError


@dataclass(frozen=True)
class Seats:
    """`count` actors, each with an encoder on `device`, as its own process sees it.

    Each takes so many CPUs and GPUs of the cluster; up to `neighbours` share a machine.
    """

    count: int
    device: str | None
    cpus: float
    gpus: int
    neighbours: int

    @classmethod
    def of(cls, devices: str | None, resources: Mapping[str, float], machines: int) -> "Seats":
        """One for each device of a list such as "cuda:0,cuda:1", wherever there is room for it.

        None means one for each GPU of the cluster, or for each machine where there is none. Raises
        `IngestError` for more GPUs than there are, and for a list of different kinds.
        """
        total = int(resources.get("GPU", 0))
        if devices is None:
            devices = ",".join(["cuda:0"] * total) if total else None
        kinds = [_kind(device) for device in devices.split(",")] if devices else [(None, 0)]
        if len(set(kinds)) > 1:
            raise IngestError(
                f"the devices {devices} are of different kinds: a cluster takes as many as you "
                "like, all alike"
            )
        device, gpus = kinds[0]
        count = len(kinds) if devices else machines
        if count * gpus > total:
            raise IngestError(
                f"the devices {devices} are {count * gpus} GPUs, and the cluster has {total}"
            )
        # Two digits, as Ray counts; a share of the CPUs is taken, so that all find room.
        cpus = min(1.0, math.floor(100 * resources.get("CPU", 0) / count) / 100)
        return cls(count, device, cpus, gpus, math.ceil(count / machines))


def _kind(device: str) -> tuple[str, int]:
    """A device as its actor sees it, and how many GPUs that takes: an actor sees no others."""
    parts = device.strip().split("+")
    if all(part.partition(":")[0] == "cuda" for part in parts):
        return "+".join(f"cuda:{at}" for at in range(len(parts))), len(parts)
    return device.strip(), 0
