"""InternViT alone: images to vectors without a text tower."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from encoders.internvl.attention import require_attention
from encoders.internvl.model import InternVLConfig
from encoders.internvl.pooler import AttentionPooler
from encoders.internvl.vision import VisionTower


class InternViT(nn.Module):
    """The tower, and the projector to InternVL-C's space where the checkpoint has one.

    `default` is the class token beside the mean of the patches, the feature of the public linear
    probe (InternVL paper, section 4.2), `2 * hidden` wide; `c` is InternVL-C's image vector.
    """

    def __init__(self, config: InternVLConfig, *, projector: bool, attention: str = "sdpa") -> None:
        super().__init__()
        self.config = config
        width, attend = config.vision.hidden_size, require_attention(attention)
        heads, out = config.attn_pool_num_heads, config.clip_embed_dim
        self.vision_model = VisionTower(config.vision, attend)
        self.clip_projector = AttentionPooler(width, heads, out, attend) if projector else None

    @property
    def dims(self) -> dict[str, int]:
        """Vector name -> dimension of all vectors this model has."""
        projected = {"c": self.config.clip_embed_dim} if self.clip_projector else {}
        return {"default": 2 * self.config.vision.hidden_size, **projected}

    def embed_images(self, pixels: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Pixels `[n, 3, size, size]` -> float32 rows for `default` and `c`, not normalised."""
        tokens = self.vision_model(pixels)
        vectors = {"default": torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=-1).float()}
        if self.clip_projector is not None:
            vectors["c"] = self.clip_projector(tokens).float()
        return {name: vectors[name] for name in names}
