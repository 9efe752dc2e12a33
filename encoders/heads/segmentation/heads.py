"""Decode heads over the tower's feature maps, under mmsegmentation's tensor names.

`LinearHead` is the probe of the InternVL paper's section 4.2; `UperHead` is UperNet (Xiao et al.,
ECCV 2018). Both are for inference: dropout and the auxiliary head of training have no part in it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

POOLS = (1, 2, 3, 6)
"""Grids of the pyramid pooling module, in cells a side."""


def resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, half-pixel centres, no antialiasing: `[n, c, h, w]` -> `[n, c, *size]`."""
    return functional.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)


class LinearHead(nn.Module):
    """Batch norm and one 1x1 convolution."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.conv_seg = nn.Conv2d(width, classes, kernel_size=1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """One map `[n, width, h, w]` -> logits `[n, classes, h, w]`."""
        (features,) = maps
        logits: Tensor = self.conv_seg(self.norm(features))
        return logits


class UperHead(nn.Module):
    """Pyramid pooling on the coarsest map, a feature pyramid over all four, one map of logits."""

    def __init__(self, width: int, channels: int, classes: int) -> None:
        super().__init__()
        pools = (nn.Sequential(nn.AdaptiveAvgPool2d(n), Unit(width, channels, 1)) for n in POOLS)
        self.psp_modules = nn.ModuleList(pools)
        self.bottleneck = Unit(width + len(POOLS) * channels, channels, 3)
        self.lateral_convs = nn.ModuleList(Unit(width, channels, 1) for _ in range(3))
        self.fpn_convs = nn.ModuleList(Unit(channels, channels, 3) for _ in range(3))
        self.fpn_bottleneck = Unit(4 * channels, channels, 3)
        self.conv_seg = nn.Conv2d(channels, classes, kernel_size=1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Four maps `[n, width, h_i, w_i]`, finest first -> logits `[n, classes, h_0, w_0]`."""
        levels = [unit(m) for unit, m in zip(self.lateral_convs, maps[:-1], strict=True)]
        levels.append(self._pool(maps[-1]))
        for fine in reversed(range(3)):
            levels[fine] = levels[fine] + resize(levels[fine + 1], levels[fine].shape[2:])
        levels[:3] = [unit(m) for unit, m in zip(self.fpn_convs, levels[:3], strict=True)]
        levels = [resize(level, levels[0].shape[2:]) for level in levels]
        logits: Tensor = self.conv_seg(self.fpn_bottleneck(torch.cat(levels, 1)))
        return logits

    def _pool(self, coarsest: Tensor) -> Tensor:
        pooled = [resize(module(coarsest), coarsest.shape[2:]) for module in self.psp_modules]
        mixed: Tensor = self.bottleneck(torch.cat([coarsest, *pooled], 1))
        return mixed


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU; the size of the map stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """`[n, inputs, h, w]` -> `[n, outputs, h, w]`."""
        return functional.relu(self.bn(self.conv(maps)))
