"""Device lists and dtypes by name."""

import pytest
import torch

from encoders.devices import first_device, parse_device, parse_dtype
from encoders.errors import InvalidOption


def test_one_device_is_chosen_by_default() -> None:
    torch.zeros(1, device=parse_device(None))


@pytest.mark.parametrize("names", ["cpu", "cpu,cuda:99", "cpu + cuda:99", None])
def test_a_model_of_one_device_takes_the_first(names: str | None) -> None:
    torch.zeros(1, device=first_device(names))


@pytest.mark.parametrize("name", ["", "gpu", "cuda:99", "cpu,cpu", "meta"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match="device"):
        parse_device(name)


def test_the_default_dtype_follows_the_device() -> None:
    assert parse_dtype(None, torch.device("cpu")) == torch.float32
    assert parse_dtype(None, torch.device("cuda")) == torch.bfloat16
    assert parse_dtype("float16", torch.device("cpu")) == torch.float16


def test_an_unknown_dtype_lists_the_known_ones() -> None:
    with pytest.raises(InvalidOption, match="bfloat16"):
        parse_dtype("int8", torch.device("cpu"))
