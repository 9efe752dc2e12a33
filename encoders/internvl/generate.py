"""Captions: QLLaMA as a language model that transformers' `generate` can drive."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from transformers import GenerationConfig, LlamaConfig
from transformers.cache_utils import Cache
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaPreTrainedModel

from encoders.errors import EncoderError
from encoders.internvl.qllama import QLlama

M = TypeVar("M")


class CausalQLlama(LlamaPreTrainedModel, GenerationMixin):  # type: ignore[misc]  # untyped bases
    """The decoder with its output layer, which only captions need (`lm_head` may be None)."""

    def __init__(self, llama: LlamaConfig, model: QLlama, lm_head: nn.Linear | None) -> None:
        super().__init__(llama)
        self.model = model
        self.lm_head = lm_head
        self.generation_config = GenerationConfig.from_model_config(llama)

    def forward(
        self,
        input_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        vision: Tensor | None = None,
        past_key_values: Cache | None = None,
        **_: object,
    ) -> CausalLMOutputWithPast:
        """Next-token logits `[n, length, vocabulary]`.

        The first call takes `inputs_embeds` (queries, then prompt) and `vision`; each later one
        takes one token of `input_ids` and the filled cache.
        """
        if inputs_embeds is None:
            states = self.model(self.words(input_ids), cache=past_key_values)
        else:
            mask = prefix_mask(inputs_embeds.shape[1], self.model.config.num_query_token)
            states = self.model(
                inputs_embeds,
                vision=vision,
                mask=mask.to(inputs_embeds.device),
                cache=past_key_values,
            )
        logits = present(self.lm_head, "caption")(states)
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)

    def words(self, ids: Tensor | None) -> Tensor:
        """Embeddings `[n, length, hidden]` of token ids `[n, length]`."""
        embeddings: Tensor = present(self.model.embed_tokens, "text")(ids)
        return embeddings


def present(module: M | None, part: str) -> M:
    """The module, or `EncoderError` where its part was not loaded."""
    if module is None:
        raise EncoderError(f"this model was loaded without its {part!r} part")
    return module


def prefix_mask(length: int, queries: int) -> Tensor:
    """Boolean `[1, 1, length, length]`: queries see each other, text sees what came before it."""
    mask = torch.ones(length, length, dtype=torch.bool).tril()
    mask[:queries, :queries] = True
    return mask[None, None]


def caption_ids(
    decoder: CausalQLlama,
    prefix: Tensor,
    vision: Tensor,
    *,
    beams: int = 5,
    min_new_tokens: int = 8,
    max_new_tokens: int = 30,
) -> Tensor:
    """Token ids `[n, at most max_new_tokens]` after `prefix` `[n, length, hidden]`, padded with 0.

    The defaults are the public captioning protocol. The public code's ids begin with a dummy bos
    that was never fed to the model; these do not.
    """
    ids: Tensor = decoder.generate(
        inputs_embeds=prefix,
        attention_mask=torch.ones(prefix.shape[:2], dtype=torch.long, device=prefix.device),
        vision=vision,
        num_beams=beams,
        do_sample=False,
        min_new_tokens=min_new_tokens,
        max_new_tokens=max_new_tokens,
    )
    return ids
