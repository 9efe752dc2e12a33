"""How much memory a device has left, and refusing what cannot fit before it half loads."""

from pathlib import Path

import torch

from encoders.errors import CheckpointError
from encoders.internvl.vision import VisionConfig

GB = 1e9
MEMINFO = Path("/proc/meminfo")
MAX_IMAGES = {True: 64, False: 8}  # on CUDA, elsewhere
TEXTS = 256  # short sequences: a fraction of what images take


class TooLittleMemory(CheckpointError):
    """A device has less memory free than a model needs."""


def free_bytes(device: torch.device) -> int | None:
    """Bytes that can still be allocated on `device`, or None where the system does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "cpu" and MEMINFO.exists():
        lines = (line.split() for line in MEMINFO.read_text().splitlines())
        return next(int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:")
    return None


def require_memory(needed: int, device: torch.device) -> None:
    """Raise `TooLittleMemory` where `needed` bytes do not fit on `device`."""
    free = free_bytes(device)
    if free is not None and needed > free:
        raise TooLittleMemory(
            f"the weights need {needed / GB:.3f} GB on {device}, which has {free / GB:.3f} GB "
            "free: load one tower only, vector c only, a half-precision dtype, or use two GPUs as "
            "cuda:0+cuda:1"
        )


def image_batch(device: torch.device, config: VisionConfig, dtype: torch.dtype) -> int:
    """How many images to run at once: what fits in four fifths of the free memory, at most 64.

    The sizes that live at once in a block: some ten of the residual stream's, two of the MLP's.
    Larger batches are no faster: 64 images are 16,000 rows and more in every product.
    """
    most = MAX_IMAGES[device.type == "cuda"]
    free = free_bytes(device)
    if free is None:
        return most
    per_token = (10 * config.hidden_size + 2 * config.intermediate_size) * dtype.itemsize
    return max(1, min(int(0.8 * free) // (per_token * config.tokens), most))
