"""InternViT: the vision tower of every InternVL generation.

InternVL paper, section 3.2. InternViT-6B normalises with RMSNorm, queries and keys too (over all
heads together); InternViT-300M uses LayerNorm, biased projections and no query-key norm. Module
names are the public checkpoints'. Not transformers' tower: that one splits the fused qkv weight.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.internvl.attention import Attend, split_heads


@dataclass(frozen=True)
class VisionConfig:
    """Numbers of one tower, under their names in `config.json`; defaults are InternViT-6B-224px."""

    hidden_size: int = 3200
    num_hidden_layers: int = 48
    num_attention_heads: int = 25
    intermediate_size: int = 12800
    image_size: int = 224
    patch_size: int = 14
    qkv_bias: bool = False
    qk_normalization: bool = True
    norm_type: Literal["rms_norm", "layer_norm"] = "rms_norm"
    layer_norm_eps: float = 1e-6
    hidden_act: str = "gelu"

    @property
    def tokens(self) -> int:
        """Tokens of one image: its patches and the class token before them."""
        return (self.image_size // self.patch_size) ** 2 + 1


class VisionTower(nn.Module):
    """Pixels to tokens. There is no final norm: the output is the last block's residual stream."""

    def __init__(self, config: VisionConfig, attend: Attend) -> None:
        super().__init__()
        self.config = config
        self.embeddings = PatchEmbeddings(config)
        self.encoder = Blocks(config, attend)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels `[n, 3, size, size]` -> tokens `[n, tokens, hidden]`."""
        tokens: Tensor = self.embeddings(pixels)
        for block in self.encoder.layers:
            tokens = block(tokens)
        return tokens

    def resize(self, image_size: int) -> None:
        """Go on with images of another size, a multiple of the patch size in pixels."""
        positions = self.embeddings.position_embedding
        resized = resize_positions(positions.data, image_size, self.config.patch_size)
        self.embeddings.position_embedding = nn.Parameter(resized, requires_grad=False)
        self.config = replace(self.config, image_size=image_size)

    def stages(self, pixels: Tensor) -> Iterator[Tensor]:
        """The embeddings, then the output of each block in turn, each `[n, tokens, hidden]`."""
        tokens = self.embeddings(pixels)
        yield tokens
        for block in self.encoder.layers:
            tokens = block(tokens)
            yield tokens


class PatchEmbeddings(nn.Module):
    """Patches through one convolution, the class token before them, learned positions added."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, patch = config.hidden_size, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(1, 1, width))
        self.patch_embedding = nn.Conv2d(3, width, kernel_size=patch, stride=patch)
        self.position_embedding = nn.Parameter(torch.zeros(1, config.tokens, width))

    def forward(self, pixels: Tensor) -> Tensor:
        """`[n, 3, size, size]` -> `[n, tokens, hidden]`."""
        pixels = pixels.to(self.patch_embedding.weight.dtype)
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        classes = self.class_embedding.expand(len(pixels), -1, -1)
        return torch.cat([classes, patches], dim=1) + self.position_embedding


class Blocks(nn.Module):
    """The blocks, under the name they have in the checkpoints."""

    def __init__(self, config: VisionConfig, attend: Attend) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config, attend) for _ in range(config.num_hidden_layers))


class Block(nn.Module):
    """Pre-norm attention and MLP, each scaled by a learned vector (LayerScale) and added."""

    def __init__(self, config: VisionConfig, attend: Attend) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        norm = nn.RMSNorm if config.norm_type == "rms_norm" else nn.LayerNorm
        self.norm1 = norm(width, eps=eps)
        self.attn = Attention(config, attend)
        self.ls1 = nn.Parameter(torch.ones(width))
        self.norm2 = norm(width, eps=eps)
        self.mlp = MLP(width, config.intermediate_size)
        self.ls2 = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """`[n, tokens, hidden]` -> the same shape."""
        tokens = torch.addcmul(tokens, self.ls1, self.attn(self.norm1(tokens)))
        return torch.addcmul(tokens, self.ls2, self.mlp(self.norm2(tokens)))


class Attention(nn.Module):
    """Full self-attention over the tokens of one image."""

    def __init__(self, config: VisionConfig, attend: Attend) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.attend = attend
        self.qkv = nn.Linear(width, 3 * width, bias=config.qkv_bias)
        normalised = config.qk_normalization
        self.q_norm = nn.RMSNorm(width, eps=config.layer_norm_eps) if normalised else nn.Identity()
        self.k_norm = nn.RMSNorm(width, eps=config.layer_norm_eps) if normalised else nn.Identity()
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[n, tokens, hidden]` -> the same shape."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        query = split_heads(self.q_norm(query), self.heads)
        key = split_heads(self.k_norm(key), self.heads)
        value = split_heads(value, self.heads)
        out: Tensor = self.proj(self.attend(query, key, value, None, False))
        return out


class MLP(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[n, tokens, hidden]` -> the same shape."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return out


def resize_positions(positions: Tensor, image_size: int, patch_size: int) -> Tensor:
    """Position embeddings for another image size: `[1, 1 + old^2, w]` -> `[1, 1 + new^2, w]`.

    The class token's position is kept; the grid is interpolated (bicubic, in float32).
    """
    old = int((positions.shape[1] - 1) ** 0.5)
    new = image_size // patch_size
    grid = positions[:, 1:].float().view(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(new, new), mode="bicubic", align_corners=False)
    patches = grid.flatten(2).transpose(1, 2).to(positions.dtype)
    return torch.cat([positions[:, :1], patches], dim=1)
