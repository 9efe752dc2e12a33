"""How much memory a device has left, and refusing what cannot fit before it half loads."""

from collections.abc import Callable
from pathlib import Path

import torch

from encoders.errors import TooLittleMemory
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.tokenizer import MAX_TOKENS
from encoders.internvl.vision import VisionConfig

GB = 1e9
MEMINFO = Path("/proc/meminfo")
SHARE = 0.8  # of the free memory that a batch may take
MAX_IMAGES = {True: 64, False: 8}  # on CUDA, elsewhere
MAX_TEXTS = {True: 256, False: 64}


Room = Callable[[int, torch.device], None]
"""Told of the bytes that weights will take on a device before any is read; raises
`TooLittleMemory` where there is no room for them."""


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
            "free: load one tower only (--towers), vector c only (--encoder internvl-c), a "
            "half-precision dtype, or use two GPUs as cuda:0+cuda:1"
        )


def image_batch(device: torch.device, config: VisionConfig, dtype: torch.dtype) -> int:
    """How many images to run at once: what fits, at most 64.

    The sizes that live at once in a block: some ten of the residual stream's, two of the MLP's.
    Larger batches are no faster: 64 images are 16,000 rows and more in every product.
    """
    width = 10 * config.hidden_size + 2 * config.intermediate_size
    return _fitting(device, config.tokens * width * dtype.itemsize, MAX_IMAGES)


def text_batch(device: torch.device, config: QLlamaConfig, dtype: torch.dtype) -> int:
    """How many texts to run at once: what fits of the longest there can be, at most 256.

    As for images, with three of the MLP's sizes: a gate, its product and what it multiplies.
    """
    width = 10 * config.hidden_size + 3 * config.intermediate_size
    return _fitting(device, MAX_TOKENS * width * dtype.itemsize, MAX_TEXTS)


def _fitting(device: torch.device, each: int, most: dict[bool, int]) -> int:
    limit = most[device.type == "cuda"]
    free = free_bytes(device)
    return limit if free is None else max(1, min(int(SHARE * free) // each, limit))
