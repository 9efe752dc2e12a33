"""Batch sizes and free memory."""

from pathlib import Path

import pytest
import torch

from encoders import CheckpointError
from encoders.internvl import memory
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.vision import VisionConfig

CPU = torch.device("cpu")


def test_more_than_is_free_is_refused() -> None:
    with pytest.raises(CheckpointError, match="load one tower only"):
        memory.require_memory(10**18, CPU)
    memory.require_memory(1000, CPU)


@pytest.mark.parametrize(
    ("free_gb", "images", "texts"),
    [(0, 1, 1), (0.2, 2, 6), (100, memory.MAX_IMAGES[False], memory.MAX_TEXTS[False])],
)
def test_a_batch_is_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, images: int, texts: int
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemAvailable: {int(free_gb * 1e6)} kB\n", "utf-8")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    assert memory.image_batch(CPU, VisionConfig(), torch.float32) == images
    assert memory.text_batch(CPU, QLlamaConfig(), torch.float32) == texts


def test_a_system_that_does_not_tell_gets_full_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "missing")
    assert memory.image_batch(CPU, VisionConfig(), torch.float32) == memory.MAX_IMAGES[False]
    memory.require_memory(10**18, CPU)
