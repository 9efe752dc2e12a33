"""The forms of attention agree."""

import pytest
import torch

from encoders import CheckpointError
from encoders.internvl.attention import choose_attention, eager, require_attention, sdpa


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_sdpa_equals_the_textbook(causal: bool, masked: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    query, key, value = torch.randn(3, 2, 4, 7, 16, generator=generator)
    mask = None
    if masked:
        causal = False
        mask = torch.rand(2, 1, 7, 7, generator=generator) > 0.5
        mask[..., 0] = True
    ours = sdpa(query, key, value, mask, causal)
    assert ours.shape == (2, 7, 64)
    torch.testing.assert_close(ours, eager(query, key, value, mask, causal))


def test_the_cpu_uses_sdpa() -> None:
    assert choose_attention(torch.device("cpu"), torch.bfloat16) == "sdpa"


def test_an_unknown_attention_lists_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="sdpa, eager, flash_attention_2"):
        require_attention("flashy")
