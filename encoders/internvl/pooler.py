"""The attention pooling that turns tokens into one vector of the shared space (CLIP projector)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.internvl.attention import Attend, split_heads


class AttentionPooler(nn.Module):
    """The mean of all tokens asks every token; no residual, no MLP. Names as in the checkpoints."""

    def __init__(self, width: int, heads: int, out: int, attend: Attend) -> None:
        super().__init__()
        self.norm1_q = nn.LayerNorm(width, eps=1e-5)
        self.norm1_k = nn.LayerNorm(width, eps=1e-5)
        self.norm1_v = nn.LayerNorm(width, eps=1e-5)
        self.cross_attn = PoolerAttention(width, heads, out, attend)

    def forward(self, tokens: Tensor) -> Tensor:
        """`[n, tokens, width]` -> `[n, out]`, not normalised."""
        query = self.norm1_q(tokens.mean(1, keepdim=True))
        pooled: Tensor = self.cross_attn(query, self.norm1_k(tokens), self.norm1_v(tokens))
        return pooled.squeeze(1)


class PoolerAttention(nn.Module):
    """Attention whose biases are parameters of their own beside bias-free linear layers."""

    def __init__(self, width: int, heads: int, out: int, attend: Attend) -> None:
        super().__init__()
        self.heads = heads
        self.attend = attend
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.k_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, out)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query `[n, 1, width]`, key and value `[n, tokens, width]` -> `[n, 1, out]`."""
        query = split_heads(functional.linear(query, self.q.weight, self.q_bias), self.heads)
        key = split_heads(functional.linear(key, self.k.weight, self.k_bias), self.heads)
        value = split_heads(functional.linear(value, self.v.weight, self.v_bias), self.heads)
        out: Tensor = self.proj(self.attend(query, key, value, None, False))
        return out
