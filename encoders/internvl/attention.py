"""Scaled dot-product attention in three equal forms, chosen once per model by name."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils import is_flash_attn_2_available

from encoders.errors import CheckpointError

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None, bool], Tensor]
"""query, key, value `[batch, heads, length, head_dim]`, mask, causal -> `[batch, length, width]`.

The mask is boolean, True where a query may look, broadcastable to `[batch, heads, queries, keys]`;
`causal` is only for a mask of None and equally many queries and keys.
"""


def sdpa(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """torch's fused kernels: the default."""
    mixed = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=causal
    )
    return join_heads(mixed)


def eager(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """The textbook formula with a float32 softmax: the reference the others are checked against."""
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    return join_heads(weights @ value)


def flash(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """flash-attn 2; it knows no masks, so a masked call (matching, captions) goes to `sdpa`."""
    if mask is not None:
        return sdpa(query, key, value, mask, causal)
    from flash_attn import flash_attn_func

    heads_last = (tensor.transpose(1, 2) for tensor in (query, key, value))
    mixed: Tensor = flash_attn_func(*heads_last, causal=causal)
    return mixed.flatten(2)


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """`[batch, length, width]` -> `[batch, heads, length, width / heads]`."""
    batch, length, _ = tokens.shape
    return tokens.view(batch, length, heads, -1).transpose(1, 2)


def join_heads(mixed: Tensor) -> Tensor:
    """`[batch, heads, length, head_dim]` -> `[batch, length, heads * head_dim]`."""
    return mixed.transpose(1, 2).flatten(2)


ATTENTION: dict[str, Attend] = {"sdpa": sdpa, "eager": eager, "flash_attention_2": flash}


def choose_attention(device: torch.device, dtype: torch.dtype) -> str:
    """flash-attn 2 where it is installed and applies (CUDA, half precision), else sdpa."""
    if device.type == "cuda" and dtype.itemsize == 2 and is_flash_attn_2_available():
        return "flash_attention_2"
    return "sdpa"


def require_attention(name: str) -> Attend:
    """The attention called `name`; raises `CheckpointError` naming the choices."""
    if name not in ATTENTION:
        raise CheckpointError(f"no attention is called {name!r}: use one of {', '.join(ATTENTION)}")
    return ATTENTION[name]


def llama_attention(name: str) -> str:
    """`name` as transformers' Llama blocks know it: our function behind their attention interface.

    Theirs take the causal flag from the layer; image queries need it off, call by call.
    """
    attend = require_attention(name)

    def interface(
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        is_causal: bool = False,
        **_: object,
    ) -> tuple[Tensor, None]:
        del module
        return attend(query, key, value, attention_mask, is_causal), None

    registered = f"polylens_{name}"
    ALL_ATTENTION_FUNCTIONS.register(registered, interface)
    return registered
