"""The GPU benchmark runs, at a size that a CPU can do, and its plain variant is the same maths."""

from collections.abc import Callable

import pytest
import torch

from benchmarks.gpu_internvl import (
    PARTS,
    SIZES,
    Bench,
    PlainInternVL,
    main,
    print_images,
    query_flops,
    random_model,
    sharing,
    vision_flops,
)
from encoders.internvl.attention import ATTENTION
from encoders.internvl.vision import VisionTower
from tests.encoders.internvl.tiny import CPU, FEATURES, load_facts, load_model


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--device", "cpu", "--size", "tiny", "--batches", "1,2", "--runs", "1", "--no-compile"])
    out = capsys.readouterr().out
    assert "matmul ceiling" in out
    for row in (
        "| c | 1 |",
        "| c, plain | 1 |",
        "| c and g | 2 |",
        "| c and g, plain | 2 |",
        "| tower, 8-bit weights | 2 |",
        "| c, from bytes | 8 x 2 |",
        "| text | 2 | 80 |",
    ):
        assert row in out


def test_without_a_gpu_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    main([])
    assert "--device cpu --size tiny" in capsys.readouterr().out


class Unable(VisionTower):
    """A tower that its device cannot run."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        raise RuntimeError("no kernel | for this\nand more")


def test_a_variant_that_cannot_run_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    config = SIZES["tiny"]
    model = random_model(config, CPU, "sdpa")
    plain = sharing(model, CPU, lambda: PlainInternVL(config, PARTS, "eager"))
    tower = Unable(config.vision, ATTENTION["sdpa"])
    print_images(Bench(model, plain, CPU, runs=1), 2, 1e9, {"tower": tower})
    out = capsys.readouterr().out
    assert "| tower | 2 | failed: RuntimeError: no kernel / for this | - | - |" in out
    assert "| c and g, plain | 2 |" in out


@torch.inference_mode()
def test_the_plain_variant_is_the_same_maths() -> None:
    whole = load_model(parts=PARTS)
    plain = sharing(whole, CPU, lambda: PlainInternVL(whole.config, PARTS, "eager"))
    pixels = torch.randn(2, 3, 224, 224)
    for name, rows in whole.embed_images(pixels, ["c", "g"]).items():
        ours = plain.embed_images(pixels, [name])[name]
        torch.testing.assert_close(ours, rows, atol=FEATURES, rtol=0)


@torch.inference_mode()
def test_blocks_compile_once_for_all() -> None:
    tower = load_model(parts={"c"}).vision_model
    assert tower is not None
    pixels = torch.randn(1, 3, 224, 224)
    expected, graphs = tower(pixels), 0

    def count(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        nonlocal graphs
        graphs += 1
        return graph.forward

    for block in tower.encoder.layers:
        block.compile(backend=count)
    torch.testing.assert_close(tower(pixels), expected)
    assert graphs == 1


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
