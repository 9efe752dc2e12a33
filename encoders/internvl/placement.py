"""Model placement: devices and dtypes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from encoders.devices import parse_device, parse_dtype
from encoders.errors import InvalidOption
from encoders.internvl.attention import choose_attention
from encoders.internvl.checkpoint import Checkpoint
from encoders.internvl.float8 import require_float8
from encoders.internvl.vision import Block
from encoders.internvl.weights import Site, load_weights
from encoders.registry import LoadOptions

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Placement:
    """The site of a model, its number format, its attention and what else makes it fast."""

    site: Site
    dtype: torch.dtype
    attention: str
    float8: bool
    compile: bool

    @classmethod
    def of(cls, options: LoadOptions) -> "Placement":
        """From a device, or from "cuda:0+cuda:1" for one model over two devices.

        `float8` as a dtype is bfloat16 with 8-bit weights in the vision tower. Raises
        `InvalidOption` for what this machine does not have.
        """
        site = parse_site(options.device)
        float8 = options.dtype == "float8"
        if float8:
            require_float8(site.vision)
        dtype = parse_dtype("bfloat16" if float8 else options.dtype, site.vision)
        attention = choose_attention(site.vision, dtype)
        return cls(site, dtype, attention, float8, options.compile)

    def load(self, checkpoint: Checkpoint, build: Callable[[], M], known: Iterable[str]) -> M:
        """The model with its weights, beside which the files may have those of the `known` names.

        Raises `CheckpointError`, see `load_weights`.
        """
        model = on_meta(build)
        allowed = None if checkpoint.lenient else known
        load_weights(model, checkpoint.catalogue, self.site, self.dtype, allowed)
        for part in model.modules() if self.compile else ():
            if isinstance(part, Block):
                part.compile()  # the blocks are alike: one compilation serves them all
        return model


def parse_site(spec: str | None) -> Site:
    """The site of "cuda:0", or of "cuda:0+cuda:1": image tower on the first, the rest beside it."""
    devices = [parse_device(name.strip()) for name in spec.split("+")] if spec else []
    if len(devices) > 2:
        raise InvalidOption(f"a model can use one or two devices, not {len(devices)}: {spec!r}")
    devices = devices or [parse_device(None)]
    return Site(devices[0], devices[-1])


def on_meta(build: Callable[[], M]) -> M:
    """A model that has shapes and no memory."""
    with torch.device("meta"):
        return build()
