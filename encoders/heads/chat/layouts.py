"""Map our tensors to the two public layouts of InternVL chat checkpoints.

Ours are the names of the original one, but for two things: language models have `transformers`'
names (InternLM2 becomes a Llama), and InternViT has its fused qkv.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from encoders.internvl.weights import Catalogue, Stored

Make = Callable[..., Tensor]


@dataclass(frozen=True)
class Source:
    """The stored tensors that make one of ours, and how."""

    names: tuple[str, ...]
    make: Make = lambda tensor: tensor


Layout = Callable[[str], Source]
"""Our name of a tensor -> where it comes from."""

_HUGGING_FACE = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^language_model\.model\.", "language_model.model."),
        (r"^mlp1\.0\.", "multi_modal_projector.layer_norm."),
        (r"^mlp1\.1\.", "multi_modal_projector.linear_1."),
        (r"^mlp1\.3\.", "multi_modal_projector.linear_2."),
        (r"^vision_model\.embeddings\.class_embedding$", "vision_tower.embeddings.cls_token"),
        (r"^(vision_model\.embeddings\.position_embedding)$", r"\1s"),
        (r"^(vision_model\.embeddings\.patch_embedding)\.", r"\1s.projection."),
        (r"^vision_model\.encoder\.layers\.", "vision_tower.encoder.layer."),
        (r"^vision_model\.", "vision_tower."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
        (r"\.attn\.proj\.", ".attention.projection_layer."),
        (r"\.attn\.", ".attention."),
        (r"\.ls([12])$", r".lambda_\1"),
    )
)

_INTERNLM2 = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\.lm_head\.", ".output."),
        (r"\.embed_tokens\.", ".tok_embeddings."),
        (r"\.input_layernorm\.", ".attention_norm."),
        (r"\.post_attention_layernorm\.", ".ffn_norm."),
        (r"\.self_attn\.o_proj\.", ".attention.wo."),
        (r"\.mlp\.gate_proj\.", ".feed_forward.w1."),
        (r"\.mlp\.up_proj\.", ".feed_forward.w3."),
        (r"\.mlp\.down_proj\.", ".feed_forward.w2."),
    )
)


def same(name: str) -> Source:
    """The original layout with a language model that `transformers` has."""
    return Source((name,))


def internlm2(config: PreTrainedConfig) -> Layout:
    """The original layout with InternLM2, whose qkv is packed by key-value head.

    The rows of one head group: its query heads, its key, its value.
    """
    groups = config.num_key_value_heads
    queries = config.num_attention_heads // groups
    parts = {"q": slice(0, queries), "k": slice(-2, -1), "v": slice(-1, None)}

    def layout(name: str) -> Source:
        found = re.fullmatch(r"(language_model\..*)\.self_attn\.([qkv])_proj\.(\w+)", name)
        if found is None:
            return Source((_renamed(name, _INTERNLM2),)) if "language" in name else same(name)
        chosen = parts[found[2]]

        def make(packed: Tensor) -> Tensor:
            grouped = packed.view(groups, queries + 2, -1, *packed.shape[1:])
            return grouped[:, chosen].flatten(0, 2)

        return Source((f"{found[1]}.attention.wqkv.{found[3]}",), make)

    return layout


def hugging_face(config: PreTrainedConfig) -> Layout:
    """The layout of `transformers`' InternVL classes (the `-hf` checkpoints)."""

    def layout(name: str) -> Source:
        if config.tie_word_embeddings and name == "language_model.lm_head.weight":
            return _hugging_face("language_model.model.embed_tokens.weight")
        return _hugging_face(name)

    return layout


def _hugging_face(name: str) -> Source:
    if name.startswith("vision_model.") and ".attn.qkv." in name:
        parts = (name.replace(".qkv.", f".{part}_proj.") for part in "qkv")
        return Source(tuple(_renamed(p, _HUGGING_FACE) for p in parts), lambda *qkv: torch.cat(qkv))
    return Source((_renamed(name, _HUGGING_FACE),))


def experts(layout: Layout, config: PreTrainedConfig) -> Layout:
    """A layout with a mixture of experts: stored one by one, held in one tensor for all of them."""
    parts = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}

    def joined(name: str) -> Source:
        found = re.fullmatch(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)", name)
        if found is None:
            return layout(name)
        of_each = parts[found[2]]
        names = (
            layout(f"{found[1]}.{number}.{part}.weight").names[0]
            for number in range(config.num_experts)
            for part in of_each
        )

        def make(*stored: Tensor) -> Tensor:
            rows = torch.stack(stored)
            return rows.view(config.num_experts, -1, rows.shape[-1])

        return Source(tuple(names), make)

    return joined


@dataclass(frozen=True)
class Made(Stored):
    """One of our tensors; `file` and `name` are those of the first of its parts."""

    parts: tuple[Stored, ...]
    make: Make

    @property
    def shape(self) -> tuple[int, ...]:
        try:
            made = self.make(*(torch.empty(part.shape, device="meta") for part in self.parts))
        except RuntimeError:  # such parts make nothing: their own shape tells what is wrong
            return self.parts[0].shape
        return tuple(made.shape)

    def read(self) -> Tensor:
        return self.make(*(part.read() for part in self.parts)).contiguous()


def catalogue_of(stored: Catalogue, wanted: Iterable[str], layout: Layout) -> Catalogue:
    """Our tensors made of a checkpoint's; what is left over stays under its own name."""
    made: dict[str, Stored] = {}
    left = dict(stored.weights)
    for name in wanted:
        source = layout(name)
        parts = [stored.weights[part] for part in source.names if part in stored.weights]
        if len(parts) == len(source.names):
            made[name] = Made(parts[0].file, parts[0].name, tuple(parts), source.make)
            for part in source.names:
                left.pop(part, None)
    return Catalogue({**left, **made})


def _renamed(name: str, rules: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        name = pattern.sub(replacement, name)
    return name
