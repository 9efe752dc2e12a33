"""QLLaMA: a LLaMA decoder whose even layers let learned queries look at the image.

InternVL paper, section 3.2 ("language middleware"). Self-attention, MLP, norms and rotary
positions are transformers' own Llama parts; ours are the cross-attention and the masks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import LlamaConfig
from transformers.cache_utils import Cache
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)

from encoders.internvl.attention import llama_attention, require_attention, split_heads


@dataclass(frozen=True)
class QLlamaConfig:
    """Numbers under their names in `qllama_config`; defaults are InternVL-14B-224px."""

    vocab_size: int = 49954
    hidden_size: int = 4096
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    intermediate_size: int = 11008
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    max_position_embeddings: int = 2048
    cross_attention_frequency: int = 2
    num_query_token: int = 96
    bos_token_id: int = 1
    eos_token_id: int = 2

    def llama(self, attention: str) -> LlamaConfig:
        """The same numbers for transformers' Llama parts. The output layer is never tied."""
        return LlamaConfig(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size,
            rms_norm_eps=self.rms_norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta},
            max_position_embeddings=self.max_position_embeddings,
            bos_token_id=self.bos_token_id,
            eos_token_id=self.eos_token_id,
            pad_token_id=0,
            tie_word_embeddings=False,
            attn_implementation=llama_attention(attention),
        )


class QLlama(nn.Module):
    """The decoder; `embed_tokens` and the cross-attention are there only if asked for.

    `vision_width` is the image tokens' width, or None for a decoder that reads text alone.
    """

    def __init__(
        self, config: QLlamaConfig, *, attention: str, vision_width: int | None, words: bool
    ) -> None:
        super().__init__()
        llama = config.llama(attention)
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size) if words else None
        self.layers = nn.ModuleList(
            QLlamaLayer(llama, index, self._cross(index, attention, vision_width))
            for index in range(config.num_hidden_layers)
        )
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        with torch.device("cpu"):  # its table is computed, not loaded: no meta tensor
            self.rotary = LlamaRotaryEmbedding(llama)

    def _cross(self, index: int, attention: str, vision_width: int | None) -> nn.Module | None:
        if vision_width is None or index % self.config.cross_attention_frequency:
            return None
        return CrossAttention(self.config, vision_width, attention)

    def forward(
        self,
        embeds: Tensor,
        *,
        vision: Tensor | None = None,
        mask: Tensor | None = None,
        causal: bool = False,
        cache: Cache | None = None,
    ) -> Tensor:
        """Embeddings `[n, length, hidden]` -> final-norm states of the same shape.

        With `vision` `[n, tokens, vision_width]` the sequence begins with the query tokens, and
        only they look at the image. `mask` is boolean `[n or 1, 1, length, keys]`, True where a
        token may look; without one every token sees all, or with `causal` the ones before it.
        With a `cache` the positions go on where it ends.
        """
        past = cache.get_seq_length() if cache is not None else 0
        positions = torch.arange(past, past + embeds.shape[1], device=embeds.device)[None]
        rotary = self.rotary(embeds, positions)
        for layer in self.layers:
            embeds = layer(embeds, rotary, vision, mask, causal, cache)
        out: Tensor = self.norm(embeds)
        return out


class QLlamaLayer(nn.Module):
    """Self-attention, cross-attention of the queries where the layer has it, MLP; all residual."""

    def __init__(self, llama: LlamaConfig, index: int, cross: nn.Module | None) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(llama, index)
        self.cross_attn = cross
        self.mlp = LlamaMLP(llama)
        self.input_layernorm = LlamaRMSNorm(llama.hidden_size, eps=llama.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(llama.hidden_size, eps=llama.rms_norm_eps)

    def forward(
        self,
        hidden: Tensor,
        rotary: tuple[Tensor, Tensor],
        vision: Tensor | None,
        mask: Tensor | None,
        causal: bool,
        cache: Cache | None,
    ) -> Tensor:
        """`[n, length, hidden]` -> the same shape; see `QLlama.forward`."""
        mixed, _ = self.self_attn(
            self.input_layernorm(hidden),
            position_embeddings=rotary,
            attention_mask=mask,
            past_key_values=cache,
            is_causal=causal,
        )
        hidden = hidden + mixed
        if self.cross_attn is not None and vision is not None:
            hidden = self.cross_attn(hidden, vision)
        out: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return out


class CrossAttention(nn.Module):
    """The first `num_query_token` positions read the image tokens; the others pass unchanged."""

    def __init__(self, config: QLlamaConfig, vision_width: int, attention: str) -> None:
        super().__init__()
        width = config.hidden_size
        self.queries = config.num_query_token
        self.heads = config.num_attention_heads
        self.attend = require_attention(attention)
        self.norm1 = LlamaRMSNorm(width, eps=config.rms_norm_eps)
        self.norm2 = LlamaRMSNorm(vision_width, eps=config.rms_norm_eps)
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(vision_width, width, bias=False)
        self.v_proj = nn.Linear(vision_width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, hidden: Tensor, vision: Tensor) -> Tensor:
        """`[n, length, hidden]`, vision `[n, tokens, vision_width]` -> `[n, length, hidden]`."""
        queries, rest = hidden[:, : self.queries], hidden[:, self.queries :]
        seen = self.norm2(vision)
        query = split_heads(self.q_proj(self.norm1(queries)), self.heads)
        key = split_heads(self.k_proj(seen), self.heads)
        value = split_heads(self.v_proj(seen), self.heads)
        queries = queries + self.o_proj(self.attend(query, key, value, None, False))
        return torch.cat([queries, rest], dim=1)
