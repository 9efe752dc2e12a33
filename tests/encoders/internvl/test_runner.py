"""Batches on a device, and running out of memory."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from encoders import EncoderError
from encoders.internvl.runner import Runner

CPU = torch.device("cpu")


def runner(batch_size: int) -> Runner[nn.Module]:
    return Runner(nn.Identity(), CPU, batch_size)


def test_batches_are_consecutive_and_full() -> None:
    done = runner(3).run(lambda _, __, batch: batch, range(8))
    assert done == [[0, 1, 2], [3, 4, 5], [6, 7]]


def scarce(_: nn.Module, __: torch.device, batch: Sequence[int]) -> list[int]:
    """What a device does whose memory holds three items."""
    if len(batch) > 3:
        raise torch.OutOfMemoryError("no memory")
    return list(batch)


def test_a_batch_too_large_is_halved_and_the_next_ones_are_smaller() -> None:
    group = runner(8)
    done = group.run(scarce, range(16))
    assert [item for part in done for item in part] == list(range(16))
    assert group.batch_size == 2
    assert max(map(len, done[4:])) == 2


def test_one_item_too_large_says_so() -> None:
    def hopeless(_: nn.Module, __: torch.device, batch: Sequence[int]) -> None:
        raise torch.OutOfMemoryError(f"no memory for {batch}")

    with pytest.raises(EncoderError, match="too little memory for a batch of one"):
        runner(4).run(hopeless, range(4))


def test_an_error_ends_the_run() -> None:
    started: list[int] = []

    def work(_: nn.Module, __: torch.device, batch: Sequence[int]) -> None:
        started.append(batch[0])
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        runner(1).run(work, range(100))
    assert started == [0]
