"""InternVL-C and InternVL-G: the towers, the middleware between them and the heads, as one module.

InternVL paper, section 3.2 and figure 4. C is a vision transformer contrasted with a LLaMA text
encoder; G also lets learned queries inside that LLaMA read the image. Names as in the checkpoints.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.internvl.attention import require_attention
from encoders.internvl.generate import CausalQLlama, present
from encoders.internvl.pooler import AttentionPooler
from encoders.internvl.qllama import QLlama, QLlamaConfig
from encoders.internvl.vision import VisionConfig, VisionTower

Part = Literal["c", "g", "text", "match", "caption"]
"""What a model can do: image vectors `c` and `g`, text vectors, matching scores, captions."""

PARTS: frozenset[Part] = frozenset({"c", "g", "text", "match", "caption"})


@dataclass(frozen=True)
class InternVLConfig:
    """A whole model; defaults are InternVL-14B-224px."""

    vision: VisionConfig = field(default_factory=VisionConfig)
    qllama: QLlamaConfig = field(default_factory=QLlamaConfig)
    clip_embed_dim: int = 768
    attn_pool_num_heads: int = 16


class InternVL(nn.Module):
    """The parts named in `parts`; what no part needs is None and costs no memory.

    The image tower may lie on another device than the rest: tensors move where they are needed.
    """

    def __init__(
        self, config: InternVLConfig, parts: Collection[Part] = PARTS, attention: str = "sdpa"
    ) -> None:
        super().__init__()
        self.config = config
        self.parts = frozenset(parts)
        queries = bool(self.parts & {"g", "match", "caption"})
        width, attend = config.qllama.hidden_size, require_attention(attention)

        def pooler(tokens_width: int) -> AttentionPooler:
            return AttentionPooler(
                tokens_width, config.attn_pool_num_heads, config.clip_embed_dim, attend
            )

        self.vision_model = (
            VisionTower(config.vision, attend) if self._has("c") or queries else None
        )
        self.clip_projector = pooler(config.vision.hidden_size) if self._has("c", "g") else None
        self.qllama = self._decoder(attention, queries) if self._has("text") or queries else None
        self.query_tokens = _empty(1, config.qllama.num_query_token, width) if queries else None
        self.clip_projector2 = pooler(width) if self._has("g") else None
        self.text_projection = _empty(width, config.clip_embed_dim) if self._has("text") else None
        self.itm_head = nn.Linear(width, 2) if self._has("match") else None
        self.logit_scale = _empty()

    def _has(self, *parts: Part) -> bool:
        return not self.parts.isdisjoint(parts)

    def _decoder(self, attention: str, queries: bool) -> CausalQLlama:
        config = self.config.qllama
        words = self._has("text", "match", "caption")
        vision_width = self.config.vision.hidden_size if queries else None
        head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        return CausalQLlama(
            config.llama(attention),
            QLlama(config, attention=attention, vision_width=vision_width, words=words),
            head if self._has("caption") else None,
        )

    def embed_images(self, pixels: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """Pixels `[n, 3, size, size]` -> float32 `[n, clip_embed_dim]` for `c` and, if named, `g`.

        Neither is normalised: `c` is the projector's output, `g` the sum of two unit vectors.
        """
        tokens = self.look(pixels)
        vectors = {"c": present(self.clip_projector, "c")(tokens).float()}
        if "g" in names:
            asked = present(self.clip_projector2, "g")(self.ask(tokens)).float()
            seen = functional.normalize(vectors["c"], dim=-1).to(asked.device)
            vectors["g"] = functional.normalize(asked, dim=-1) + seen
        return {name: vectors[name] for name in names}

    def look(self, pixels: Tensor) -> Tensor:
        """Pixels `[n, 3, size, size]` -> image tokens `[n, tokens, vision width]`."""
        tokens: Tensor = present(self.vision_model, "c")(pixels)
        return tokens

    def ask(self, tokens: Tensor) -> Tensor:
        """Image tokens -> what the queries saw in them, `[n, queries, width]`.

        The queries see each other freely, in both directions.
        """
        asking = self._queries(len(tokens))
        queries: Tensor = self.decoder.model(asking, vision=tokens.to(asking.device))
        return queries

    def embed_texts(self, ids: Tensor, last: Tensor) -> Tensor:
        """Right-padded ids `[n, length]` and each text's last index `[n]` -> float32 `[n, dim]`.

        Attention is causal, so that what pads a text to the right cannot reach its last token (the
        eos) and needs no mask. Not normalised.
        """
        projection = present(self.text_projection, "text")
        ids, last = ids.to(projection.device), last.to(projection.device)
        states = self.decoder.model(self.decoder.words(ids), causal=True)
        pooled: Tensor = states[torch.arange(len(ids), device=ids.device), last]
        return (pooled @ projection).float()

    def match_logits(self, tokens: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Image tokens and caption ids, pair by pair -> float32 `[n, 2]`: no match, match.

        Queries and caption see each other in both directions, padding apart. `ids` is right-padded
        `[n, length]`, `lengths` `[n]` counts its real tokens.
        """
        head = present(self.itm_head, "match")
        queries = self._queries(len(ids))
        tokens, ids, lengths = (part.to(queries.device) for part in (tokens, ids, lengths))
        embeds = torch.cat([queries, self.decoder.words(ids)], dim=1)
        positions = torch.arange(embeds.shape[1], device=ids.device)
        mask = positions < (queries.shape[1] + lengths)[:, None]
        states = self.decoder.model(embeds, vision=tokens, mask=mask[:, None, None])
        logits: Tensor = head(states[:, : queries.shape[1]]).float().mean(1)
        return logits

    def prefix(self, prompt: Tensor, count: int) -> Tensor:
        """Queries, then the prompt `[length]`, as embeddings `[count, queries + length, width]`."""
        queries = self._queries(count)
        words = self.decoder.words(prompt.to(queries.device)[None]).expand(count, -1, -1)
        return torch.cat([queries, words], dim=1)

    @property
    def decoder(self) -> CausalQLlama:
        """QLLaMA with its output layer."""
        return present(self.qllama, "text")

    def _queries(self, count: int) -> Tensor:
        return present(self.query_tokens, "g").expand(count, -1, -1)


def _empty(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape))
