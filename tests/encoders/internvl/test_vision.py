"""The vision tower against the reference's hidden states."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.internvl.checkpoint import open_internvl
from encoders.internvl.internvit import InternViT
from encoders.internvl.model import InternVL
from encoders.internvl.placement import on_meta
from encoders.internvl.transforms import normalise, processor_crop
from encoders.internvl.vision import resize_positions
from encoders.internvl.weights import Site, load_weights
from tests.encoders.internvl.tiny import CPU, DATA, FEATURES, Arrays, load_model


@torch.inference_mode()
def test_every_block_equals_the_reference(
    model: InternVL, pixels: torch.Tensor, numbers: Callable[[str], Arrays]
) -> None:
    expected = numbers("04_vit")["hidden_states_224"]
    assert model.vision_model is not None
    stages = list(model.vision_model.stages(pixels))
    assert len(stages) == len(expected)
    for ours, theirs in zip(stages, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=FEATURES)
    np.testing.assert_array_equal(model.vision_model(pixels), stages[-1])
    first = numbers("04_vit")["pooler_output_224"]
    np.testing.assert_allclose(stages[-1][:, 0], first, atol=FEATURES)


@pytest.mark.parametrize("size", [112, 364, 448])
def test_positions_resized_equal_the_reference(
    model: InternVL, numbers: Callable[[str], Arrays], size: int
) -> None:
    assert model.vision_model is not None
    ours = resize_positions(model.vision_model.embeddings.position_embedding, size, 14)
    np.testing.assert_allclose(ours.detach(), numbers("04_vit")[f"pos_embed_{size}"], atol=FEATURES)


@torch.inference_mode()
def test_a_tower_resized_to_448_equals_the_reference(
    numbers: Callable[[str], Arrays], images: list[Image.Image]
) -> None:
    expected = numbers("04_vit")
    model = load_model()
    assert model.vision_model is not None
    model.vision_model.resize(448)
    square = processor_crop(images[0].convert("RGB"), 448)
    pixels = normalise(torch.from_numpy(np.asarray(square)[None].copy()))
    for ours, theirs in zip(
        model.vision_model.stages(pixels), expected["hidden_states_448"], strict=True
    ):
        np.testing.assert_allclose(ours[:, expected["token_index_448"]], theirs, atol=FEATURES)
    tokens = model.look(pixels)
    np.testing.assert_allclose(tokens, expected["last_hidden_state_448"], atol=FEATURES)
    vectors = model.embed_images(pixels, ["c", "g"])
    for name, rows in vectors.items():
        np.testing.assert_allclose(rows, expected[f"image_{name}_448"], atol=FEATURES)


@torch.inference_mode()
def test_internvit_300m_equals_the_reference() -> None:
    """LayerNorm, biased projections, no query-key norm: a tiny tower of that kind."""
    checkpoint = open_internvl(str(DATA / "tiny_internvit_300m"))
    model = on_meta(lambda: InternViT(checkpoint.config, projector=False))
    load_weights(model, checkpoint.catalogue, Site(CPU, CPU), torch.float32, ())
    with np.load(DATA / "tiny_internvit_300m" / "expected.npz") as expected:
        pixels, states = expected["pixel_values"], expected["vit_hidden_states"]
    ours = list(model.vision_model.stages(torch.from_numpy(pixels)))
    for mine, theirs in zip(ours, states, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)


def test_the_tower_compiles_without_a_break(model: InternVL, pixels: torch.Tensor) -> None:
    tower = model.vision_model
    assert tower is not None
    compiled = torch.compile(tower, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(pixels[:1]), tower(pixels[:1]))
