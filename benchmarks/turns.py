"""Times of work on a device, taken in turns so that load, clocks and heat hit all alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

Work = Callable[[], object]


def seconds_of(
    work: Mapping[str, Work], device: torch.device, runs: int, warm: int
) -> dict[str, float]:
    """Median seconds of each over `runs` rounds, in which one follows the other.

    `warm` rounds before them do not count.
    """
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(warm + runs):
        for name, call in work.items():
            taken = _once(call, device)
            if turn >= warm:
                times[name].append(taken)
    return {name: statistics.median(taken) for name, taken in times.items()}


def named(device: torch.device) -> str:
    """As its maker calls it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


@torch.inference_mode()
def _once(call: Work, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
