"""Vision tower weights in 8-bit floats: half the memory, twice the matrix rate of Hopper GPUs.

A scale per output channel of a weight and per token of its input, so that an outlier costs
precision only in its own row. Kept only if it hardly moves the vectors of the user's own images.
"""

import logging
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from encoders.errors import InvalidOption
from encoders.internvl.vision import Block, VisionTower

FLOAT8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FLOAT8).max
HOPPER = (9, 0)  # the first compute capability with scales per row
MIN_COSINE = 0.999  # under which 8-bit weights are refused
SAMPLE = 32  # images on which that is decided

log = logging.getLogger(__name__)

Linears = dict[str, nn.Linear]
"""Module path inside a tower -> the layer that was there."""


class Float8Linear(nn.Module):
    """A linear layer whose product runs in 8-bit floats, with bfloat16 in and out."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, scale = to_float8(linear.weight)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scale = nn.Parameter(scale.T.contiguous(), requires_grad=False)
        self.bias = linear.bias

    def forward(self, tokens: Tensor) -> Tensor:
        """bfloat16 `[..., in]` -> bfloat16 `[..., out]`."""
        rows, scale = to_float8(tokens.flatten(0, -2))
        product: Tensor = torch._scaled_mm(
            rows,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale,
            out_dtype=torch.bfloat16,
            use_fast_accum=tokens.is_cuda,
        )
        if self.bias is not None:
            product = product + self.bias
        return product.view(*tokens.shape[:-1], -1)


def to_float8(rows: Tensor) -> tuple[Tensor, Tensor]:
    """`[n, width]` as 8-bit floats and the float32 scale `[n, 1]` that gives each row back."""
    scale = rows.abs().amax(1, keepdim=True).float().clamp(min=1e-12) / LARGEST
    return (rows / scale).to(FLOAT8), scale  # a row's largest value becomes the format's


def quantise(tower: VisionTower) -> Linears:
    """Replace the four linear layers of every block; returns what was there, for `restore`."""
    replaced = dict(_linears(tower))
    restore(tower, {name: Float8Linear(linear) for name, linear in replaced.items()})
    return replaced


def restore(tower: VisionTower, modules: Mapping[str, nn.Module]) -> None:
    """Put modules at their paths inside `tower`."""
    for name, module in modules.items():
        path, _, leaf = name.rpartition(".")
        setattr(tower.get_submodule(path), leaf, module)


def require_float8(device: torch.device) -> None:
    """Raise `InvalidOption` where a device cannot multiply 8-bit floats."""
    able = device.type == "cpu"
    if device.type == "cuda":
        able = torch.cuda.get_device_capability(device) >= HOPPER
    if not able:
        raise InvalidOption(f"dtype float8 needs a Hopper GPU (H100, H200) or later, not {device}")


def is_faithful(exact: Mapping[str, Tensor], rounded: Mapping[str, Tensor]) -> bool:
    """Whether the vectors `[n, dim]` of all images stay within the cosine; says so if not."""
    cosines = [nn.functional.cosine_similarity(exact[name], rounded[name]) for name in exact]
    worst, count = float(torch.cat(cosines).min()), len(cosines[0])
    if worst >= MIN_COSINE:
        log.info("8-bit weights from here on: cosine >= %.5f on %d of your images", worst, count)
        return True
    log.warning(
        "8-bit weights are refused: on %d of your images their vectors come down to a cosine of "
        "%.5f to bfloat16's, less than %.3f; going on in bfloat16",
        count,
        worst,
        MIN_COSINE,
    )
    return False


def _linears(tower: VisionTower) -> Iterator[tuple[str, nn.Linear]]:
    for index, block in enumerate(tower.encoder.layers):
        if isinstance(block, Block):
            prefix = f"encoder.layers.{index}"
            yield f"{prefix}.attn.qkv", block.attn.qkv
            yield f"{prefix}.attn.proj", block.attn.proj
            yield f"{prefix}.mlp.fc1", block.mlp.fc1
            yield f"{prefix}.mlp.fc2", block.mlp.fc2
