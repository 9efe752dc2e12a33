"""The vision tower against the reference's hidden states."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.internvl.attention import sdpa
from encoders.internvl.model import InternVL
from encoders.internvl.transforms import normalise, processor_crop
from encoders.internvl.vision import VisionConfig, VisionTower, resize_positions
from tests.encoders.internvl.tiny import FEATURES, Arrays, load_model


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
    vectors = model.embed_images(pixels, ["c", "g"])
    for name, rows in vectors.items():
        np.testing.assert_allclose(rows, expected[f"image_{name}_448"], atol=FEATURES)


def test_internvit_300m_has_layer_norms_and_biases() -> None:
    config = VisionConfig(
        hidden_size=1024,
        num_hidden_layers=2,
        num_attention_heads=16,
        intermediate_size=4096,
        image_size=448,
        qkv_bias=True,
        qk_normalization=False,
        norm_type="layer_norm",
    )
    with torch.device("meta"):
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in VisionTower(config, sdpa).state_dict().items()
        }
    assert shapes["embeddings.position_embedding"] == (1, 1025, 1024)
    assert shapes["encoder.layers.1.norm1.bias"] == (1024,)
    assert shapes["encoder.layers.1.attn.qkv.bias"] == (3072,)
    assert not any("q_norm" in name or "k_norm" in name for name in shapes)


def test_the_tower_compiles_without_a_break(model: InternVL, pixels: torch.Tensor) -> None:
    tower = model.vision_model
    assert tower is not None
    compiled = torch.compile(tower, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(pixels[:1]), tower(pixels[:1]))
