"""InternVL-Chat: InternViT, a small projector, and a language model of `transformers`.

InternVL 1.5 paper (arXiv 2404.16821), section 3.1. One module for every generation; what differs
between them is numbers in `ChatConfig`.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from encoders.internvl.attention import Attend
from encoders.internvl.vision import VisionConfig, VisionTower


@dataclass(frozen=True)
class ChatConfig:
    """Numbers of one model.

    `select_layer` counts the tower's stages, of which the embeddings are the first, from the end:
    -1 is the last block. `shuffle` "v1" leaves the grid of image tokens transposed, as the models
    before V1-5 were trained. `tiles` is the most tiles of a picture, 1 for none.
    """

    vision: VisionConfig
    language: PreTrainedConfig
    select_layer: int
    shuffle: Literal["v1", "v2"]
    template: str
    tiles: int
    thumbnail: bool

    @property
    def tokens(self) -> int:
        """Image tokens of one tile."""
        return (self.vision.image_size // self.vision.patch_size // 2) ** 2


class ChatModel(nn.Module):
    """Tiles and token ids in; `language_model` goes on from there."""

    def __init__(self, config: ChatConfig, attend: Attend) -> None:
        super().__init__()
        width = 4 * config.vision.hidden_size
        inner = config.language.hidden_size
        self.config = config
        self.vision_model = VisionTower(config.vision, attend)
        self.mlp1 = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, inner)
        )
        self.language_model: PreTrainedModel = AutoModelForCausalLM.from_config(config.language)

    def see(self, pixels: Tensor) -> Tensor:
        """Normalised tiles `[n, 3, side, side]` -> image tokens `[n, tokens, inner]`."""
        patches = self._select(pixels)[:, 1:]
        side = int(patches.shape[1] ** 0.5)
        grid = patches.reshape(len(patches), side, side, -1)
        cells = pixel_shuffle(grid, self.config.shuffle)
        seen: Tensor = self.mlp1(cells.flatten(1, 2))
        return seen

    def embed(self, ids: Tensor, pixels: Tensor | None, image_token: int) -> Tensor:
        """Token ids `[n, length]` -> `[n, length, inner]`, image tokens in place of `image_token`.

        Raises `ValueError` where there are not as many places as image tokens.
        """
        embedded: Tensor = self.language_model.get_input_embeddings()(ids)
        places = ids == image_token
        seen = embedded.new_empty(0, embedded.shape[-1])
        if pixels is not None:
            seen = self.see(pixels).flatten(0, 1).to(embedded.dtype)
        if int(places.sum()) != len(seen):
            raise ValueError(f"{int(places.sum())} places for {len(seen)} image tokens")
        return embedded.masked_scatter(places[..., None], seen)

    def _select(self, pixels: Tensor) -> Tensor:
        """The tower's stage that the language model was trained on, `[n, 1 + patches, hidden]`."""
        wanted = self.config.vision.num_hidden_layers + 1 + self.config.select_layer
        stages = enumerate(self.vision_model.stages(pixels))
        return next(tokens for number, tokens in stages if number == wanted)


def pixel_shuffle(cells: Tensor, version: str) -> Tensor:
    """Each 2 x 2 cells become one: `[n, h, w, c]` -> `[n, h / 2, w / 2, 4 c]`.

    "v1" gives the grid transposed.
    """
    n, height, width, channels = cells.shape
    blocks = cells.reshape(n, height // 2, 2, width // 2, 2 * channels)
    merged = blocks.transpose(2, 3).reshape(n, height // 2, width // 2, 4 * channels)
    return merged.transpose(1, 2) if version == "v1" else merged


def settle_rotary(model: nn.Module) -> None:
    """Compute anew what a model built on the meta device lacks: its tables of rotary positions."""
    for parent in list(model.modules()):
        for name, part in parent.named_children():
            if name == "rotary_emb":
                kind: Any = type(part)
                with torch.device("cpu"):
                    setattr(parent, name, kind(config=part.config))
