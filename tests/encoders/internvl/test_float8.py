"""8-bit weights: near the exact product, and refused where they are not."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from encoders.internvl import float8
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.float8 import Float8Linear, quantise, restore, to_float8
from tests.encoders.internvl.tiny import Load, load_model


def test_a_row_comes_back_within_its_precision() -> None:
    rows = torch.randn(5, 64) * torch.tensor([[1e-6], [1], [100], [1e4], [0]])
    small, scale = to_float8(rows)
    assert small.dtype == torch.float8_e4m3fn
    assert ((small.float() * scale - rows).abs() <= rows.abs().amax(1, keepdim=True) / 16).all()


@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_near_the_exact_one(bias: bool) -> None:
    linear = nn.Linear(64, 32, bias=bias).to(torch.bfloat16).requires_grad_(False)
    tokens = torch.randn(2, 7, 64).to(torch.bfloat16)
    ours, exact = Float8Linear(linear)(tokens), linear(tokens)
    assert (ours.shape, ours.dtype) == (exact.shape, exact.dtype)
    cosine = nn.functional.cosine_similarity(ours.float().flatten(), exact.float().flatten(), 0)
    assert cosine > 0.998


def test_what_was_replaced_can_be_put_back() -> None:
    tower = load_model(dtype=torch.bfloat16).vision_model
    assert tower is not None
    before = {name: id(module) for name, module in tower.named_modules()}
    replaced = quantise(tower)
    assert sum(isinstance(module, Float8Linear) for module in tower.modules()) == 4 * 3
    restore(tower, replaced)
    assert {name: id(module) for name, module in tower.named_modules()} == before


def test_weights_that_keep_the_vectors_are_used(
    load: Load,
    images: list[Image.Image],
    encoder: InternVLEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(float8, "MIN_COSINE", 0.9)  # a tower this narrow averages out little
    small = load(dtype="float8")
    rows = small.encode_images(images * 11)["c"]
    exact = load(dtype="bfloat16").encode_images(images * 11)["c"]
    assert not np.array_equal(rows, exact)
    assert (rows * exact).sum(1).min() > 0.9
    assert small.info.fingerprint == encoder.info.fingerprint


def test_images_of_several_calls_decide_together(
    load: Load,
    images: list[Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(float8, "MIN_COSINE", 0.9)
    small, half = load(dtype="float8", vectors=["c"]), load(dtype="bfloat16", vectors=["c"])
    exact = half.encode_images(images)["c"]
    with caplog.at_level(logging.INFO):
        for _ in range(10):
            np.testing.assert_array_equal(small.encode_images(images)["c"], exact)
        assert "8-bit" not in caplog.text
        assert not np.array_equal(small.encode_images(images)["c"], exact)
        assert "on 32 of your images" in caplog.text
        small.encode_images(images * 11)
    assert caplog.text.count("8-bit") == 1


def test_weights_that_move_the_vectors_are_refused(
    load: Load,
    images: list[Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(float8, "MIN_COSINE", 1.1)
    with caplog.at_level(logging.WARNING):
        rows = load(dtype="float8").encode_images(images * 11)["g"]
    assert "8-bit weights are refused: on 32 of your images" in caplog.text
    exact = load(dtype="bfloat16").encode_images(images * 11)["g"]
    np.testing.assert_array_equal(rows, exact)
