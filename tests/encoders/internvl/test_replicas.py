"""Batches over several devices, and running out of memory."""

import threading
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from encoders import EncoderError
from encoders.internvl.replicas import Replicas

CPU = torch.device("cpu")


def replicas(count: int, batch_size: int) -> Replicas[nn.Module]:
    return Replicas([(nn.Identity(), CPU) for _ in range(count)], batch_size)


@pytest.mark.parametrize(("devices", "expected"), [(1, [32]), (2, [16, 16]), (3, [11, 11, 10])])
def test_a_few_items_are_shared_among_all_devices(devices: int, expected: list[int]) -> None:
    batches = replicas(devices, 64).batches(range(32), 32)
    assert [len(batch) for batch in batches] == expected


def test_batches_are_consecutive_and_full() -> None:
    assert list(replicas(1, 3).batches(range(8), 8)) == [[0, 1, 2], [3, 4, 5], [6, 7]]


@pytest.mark.parametrize("count", [1, 3])
def test_results_keep_their_order(count: int) -> None:
    group = replicas(count, 2)
    assert group.run(lambda _, __, batch: batch, group.batches(range(9), 9)) == [
        [0, 1],
        [2, 3],
        [4, 5],
        [6, 7],
        [8],
    ]


def test_every_device_takes_from_one_queue() -> None:
    group = replicas(2, 1)
    both = threading.Barrier(2, timeout=20)

    def work(model: nn.Module, _: torch.device, batch: Sequence[int]) -> tuple[int, int]:
        both.wait()  # only two at once get past it
        return id(model), batch[0]

    done = group.run(work, group.batches(range(4), 4))
    assert [item for _, item in done] == [0, 1, 2, 3]
    assert {model for model, _ in done} == {id(model) for model, _ in group.copies}


def scarce(_: nn.Module, __: torch.device, batch: Sequence[int]) -> list[int]:
    """What a device does whose memory holds three items."""
    if len(batch) > 3:
        raise torch.OutOfMemoryError("no memory")
    return list(batch)


def test_a_batch_too_large_is_halved_and_the_next_ones_are_smaller() -> None:
    group = replicas(1, 8)
    done = group.run(scarce, group.batches(range(16), 16))
    assert [item for part in done for item in part] == list(range(16))
    assert group.batch_size == 2


def test_one_item_too_large_says_so() -> None:
    def hopeless(_: nn.Module, __: torch.device, batch: Sequence[int]) -> None:
        raise torch.OutOfMemoryError(f"no memory for {batch}")

    group = replicas(1, 4)
    with pytest.raises(EncoderError, match="too little memory for a batch of one"):
        group.run(hopeless, group.batches(range(4), 4))


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_ends_the_run(count: int) -> None:
    started: list[int] = []

    def work(_: nn.Module, __: torch.device, batch: Sequence[int]) -> None:
        started.append(batch[0])
        raise ValueError("broken")

    group = replicas(count, 1)
    with pytest.raises(ValueError, match="broken"):
        group.run(work, group.batches(range(100), 100))
    assert len(started) <= count
