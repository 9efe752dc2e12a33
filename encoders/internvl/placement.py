"""Where the copies of a model lie, and putting them there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from encoders.devices import parse_devices, parse_dtype
from encoders.errors import InvalidOption
from encoders.internvl.attention import choose_attention
from encoders.internvl.checkpoint import Checkpoint
from encoders.internvl.float8 import require_float8
from encoders.internvl.weights import Site, load_weights, require_room, set_weight
from encoders.registry import LoadOptions

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Placement:
    """A site for each copy of the model; the number format and the attention of all."""

    sites: list[Site]
    dtype: torch.dtype
    attention: str
    float8: bool

    @classmethod
    def of(cls, options: LoadOptions) -> "Placement":
        """From a device list in which "cuda:0+cuda:1" is one copy over two devices.

        `float8` as a dtype is bfloat16 with 8-bit weights in the vision tower. Raises
        `InvalidOption` for what this machine does not have.
        """
        specs = options.device.split(",") if options.device else [None]
        sites = [parse_site(spec) for spec in specs]
        float8 = options.dtype == "float8"
        for site in sites if float8 else ():
            require_float8(site.vision)
        dtype = parse_dtype("bfloat16" if float8 else options.dtype, sites[0].vision)
        return cls(sites, dtype, choose_attention(sites[0].vision, dtype), float8)

    def copies(
        self, checkpoint: Checkpoint, build: Callable[[], M], known: Iterable[str]
    ) -> list[tuple[M, torch.device]]:
        """A model per site, with the device its images go to.

        The first is read from the files, in which `known` tensors may be left over; the others are
        copied from it.
        """
        first = on_meta(build)
        allowed = None if checkpoint.lenient else known
        load_weights(first, checkpoint.catalogue, self.sites[0], self.dtype, allowed)
        others = [(copy_to(first, build, site), site.vision) for site in self.sites[1:]]
        return [(first, self.sites[0].vision), *others]


def parse_site(spec: str | None) -> Site:
    """The site of "cuda:0", or of "cuda:0+cuda:1": image tower on the first, the rest beside it."""
    devices = parse_devices(spec.replace("+", ",") if spec else spec)
    if len(devices) > 2:
        raise InvalidOption(f"a model lies on one device or two, not on {len(devices)}: {spec!r}")
    return Site(devices[0], devices[-1])


def on_meta(build: Callable[[], M]) -> M:
    """A model that has shapes and no memory."""
    with torch.device("meta"):
        return build()


def copy_to(model: M, build: Callable[[], M], site: Site) -> M:
    """The same weights once more, at another site."""
    other = on_meta(build)
    tensors = model.state_dict()
    require_room(tensors, site, next(model.parameters()).dtype)
    for name, tensor in tensors.items():
        set_weight(other, name, tensor.to(site.of(name), copy=True))
    return site.settle(other)
