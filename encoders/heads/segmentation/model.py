"""InternViT as a segmentation backbone, and a head on top of it.

Facts: the public InternVL segmentation code (mmsegmentation 0.30). The tower gives the patch tokens
of some blocks, without a final norm; UperNet sees them at four resolutions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from encoders.heads.segmentation.heads import LinearHead, UperHead, resize
from encoders.internvl.attention import Attend
from encoders.internvl.vision import VisionConfig, VisionTower


@dataclass(frozen=True)
class SegmentationConfig:
    """Numbers of one model.

    `blocks` are the tower's blocks whose output is used, from 0: one for the linear head, four for
    UperNet, whose inner width is `channels` (0 means the linear head). Windows of
    `vision.image_size` pixels a side move by `stride` pixels.
    """

    vision: VisionConfig
    blocks: tuple[int, ...]
    channels: int
    classes: int
    stride: int


class SegmentationModel(nn.Module):
    """Window of an image -> logits for each of its pixels."""

    def __init__(self, config: SegmentationConfig, attend: Attend) -> None:
        super().__init__()
        width = config.vision.hidden_size
        self.config = config
        self.vision_model = VisionTower(config.vision, attend)
        if config.channels:
            self.up1, self.up2 = _finest(width), nn.Sequential(_doubled(width))
        head = UperHead(width, config.channels, config.classes) if config.channels else None
        self.decode_head = head or LinearHead(width, config.classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels `[n, 3, side, side]` -> float32 logits `[n, classes, side, side]`."""
        return resize(self.decode_head(self.features(pixels)), pixels.shape[2:])

    def features(self, pixels: Tensor) -> list[Tensor]:
        """The maps a head is given, float32 `[n, width, h_i, w_i]`, finest first."""
        tokens = [self._map(stage) for stage in self._stages(pixels)]
        if self.config.channels:
            finest, fine, same, coarse = tokens
            halved = nn.functional.max_pool2d(coarse, kernel_size=2, stride=2)
            tokens = [self.up1(finest), self.up2(fine), same, halved]
        return [features.float() for features in tokens]

    def _stages(self, pixels: Tensor) -> Sequence[Tensor]:
        last = max(self.config.blocks)
        wanted = {block + 1 for block in self.config.blocks}  # stage 0 is the embeddings
        found = []
        for number, tokens in enumerate(self.vision_model.stages(pixels)):
            if number in wanted:
                found.append(tokens)
            if number > last:
                break
        return found

    def _map(self, tokens: Tensor) -> Tensor:
        """`[n, 1 + side^2, width]` -> `[n, width, side, side]`, the class token left out."""
        patches = tokens[:, 1:].transpose(1, 2)
        side = self.config.vision.image_size // self.config.vision.patch_size
        return patches.reshape(*patches.shape[:2], side, side)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, maps: Tensor) -> Tensor:
        """`[n, c, h, w]` -> the same shape."""
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _finest(width: int) -> nn.Sequential:
    return nn.Sequential(_doubled(width), ChannelNorm(width, eps=1e-6), nn.GELU(), _doubled(width))


def _doubled(width: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(width, width, kernel_size=2, stride=2)
