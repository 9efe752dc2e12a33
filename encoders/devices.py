"""Devices and dtypes that a model runs on."""

from typing import TYPE_CHECKING

from encoders.errors import InvalidOption

if TYPE_CHECKING:
    import torch


def parse_device(name: str | None) -> "torch.device":
    """The device of that name; None means the first CUDA GPU, else Apple's, else the CPU.

    Raises `InvalidOption` for a device this machine does not have.
    """
    import torch

    if name is None:
        name = "cuda:0" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InvalidOption(f"{name!r} is not a device: use cpu, cuda:0 or mps") from None
    present = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(_has_mps()),
    }
    if (device.index or 0) >= present.get(device.type, 0):
        raise InvalidOption(f"this machine has no device {name!r}, or torch was built without it")
    return device


def first_device(names: str | None) -> "torch.device":
    """The first of a list such as "cuda:0,cuda:1" or "cuda:0+cuda:1", for models that use one.

    See `parse_device`.
    """
    return parse_device(names.replace("+", ",").split(",")[0].strip() if names else None)


def parse_dtype(name: str | None, device: "torch.device") -> "torch.dtype":
    """The floating-point dtype of that name; None means bfloat16 on CUDA and float32 elsewhere.

    Raises `InvalidOption` for any other name.
    """
    import torch

    if name is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise InvalidOption(f"no dtype is called {name!r}: use one of {', '.join(known)}")
    return known[name]


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()
