"""The GPU benchmark runs, at a size that a CPU can do, and its plain variant is the same maths."""

import pytest
import torch

from benchmarks.gpu_internvl import (
    SIZES,
    main,
    plain_tower,
    query_flops,
    random_model,
    vision_flops,
)
from tests.encoders.internvl.tiny import FEATURES, load_facts


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--size", "tiny", "--batches", "1,2", "--runs", "1", "--float8"])
    out = capsys.readouterr().out
    assert "matmul ceiling" in out
    for row in (
        "| c | 1 |",
        "| c and g | 2 |",
        "| tower, plain | 2 |",
        "8-bit weights | 2 |",
        "| text | 2 | 80 |",
    ):
        assert row in out


def test_the_plain_variant_is_the_same_maths() -> None:
    model = random_model(SIZES["tiny"], torch.device("cpu"), torch.float32)
    tower = model.vision_model
    assert tower is not None
    pixels = torch.randn(2, 3, 56, 56)
    with torch.inference_mode():
        plain = plain_tower(tower.embeddings, tower.encoder.layers, pixels)
        torch.testing.assert_close(plain, tower(pixels), atol=FEATURES, rtol=0)


def test_the_work_is_counted_as_published() -> None:
    """Two operations per weight and token, as the published parameter counts have it.

    Keys and values of the cross-attention are of all 257 image tokens, the rest of 96 queries.
    """
    counts = load_facts("10_hf_full_state_dict_shapes.json")["params_by_part"]
    tower = counts["vision_model."]
    assert vision_flops(SIZES["full"].vision) == pytest.approx(2 * 257 * tower, rel=0.02)
    words = counts["qllama.model.embed_tokens"] + counts["qllama.lm_head"]
    seen = 16 * 2 * 3200 * 4096
    tokens = 96 * (counts["qllama."] - words - seen) + 257 * seen
    assert query_flops(SIZES["full"]) == pytest.approx(2 * tokens, rel=0.01)
