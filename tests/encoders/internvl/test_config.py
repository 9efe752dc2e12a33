"""Configurations read from files, and refusals."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from encoders import CheckpointError
from encoders.internvl.config import read_config
from encoders.internvl.model import InternVLConfig
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.vision import VisionConfig
from tests.encoders.internvl.tiny import TINY

PUBLIC = {
    "architectures": ["InternVLModel"],
    "attn_pool_num_heads": 16,
    "auto_map": {"AutoModel": "modeling_internvl.InternVLModel"},
    "clip_embed_dim": 768,
    "force_image_size": None,
    "hidden_size": 4096,
    "model_type": "internvl",
    "num_query_token": 96,
    "qllama_config": {"cross_attention_frequency": 2, "hidden_size": 4096},
    "vision_config": {"hidden_size": 3200, "num_hidden_layers": 48, "hidden_act": "gelu"},
}


def written(folder: Path, content: object) -> Path:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_the_tiny_checkpoint() -> None:
    config = read_config(TINY / "config.json")
    assert config == InternVLConfig(
        vision=VisionConfig(64, 3, 4, 128),
        qllama=QLlamaConfig(1000, 80, 4, 4, 160, num_query_token=8),
        clip_embed_dim=32,
        attn_pool_num_heads=4,
    )


def test_what_a_file_leaves_out_is_the_public_model(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, PUBLIC)) == InternVLConfig()


def test_fine_tuned_models_force_their_image_size(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, PUBLIC | {"force_image_size": 364}))
    assert config == InternVLConfig(vision=VisionConfig(image_size=364))
    assert isinstance(config, InternVLConfig)
    assert config.vision.tokens == 677


def test_internvit_alone(tmp_path: Path) -> None:
    raw = {"model_type": "intern_vit_6b", "num_hidden_layers": 45, "image_size": 448}
    expected = replace(VisionConfig(), num_hidden_layers=45, image_size=448)
    assert read_config(written(tmp_path, raw)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model_type": "bert"}, "'bert', neither InternVL-14B"),
        ({"model_type": "phi", "auto_map": {}}, "remote code, which is never run"),
        ({"model_type": "internvl_chat", "llm_config": {}}, "InternVL chat model"),
        ({"model_type": "internvl", "text_config": {}}, "InternVL chat model"),
        ({}, "no model_type at all"),
        (PUBLIC | {"vision_config": None}, "no 'vision_config' object"),
        (PUBLIC | {"vision_config": {"hidden_size": "3200"}}, "must be of type int"),
        (PUBLIC | {"vision_config": {"hidden_act": "relu"}}, "'relu'"),
        (PUBLIC | {"num_query_token": None}, "must be of type int"),
        (PUBLIC | {"num_query_token": True}, "must be of type int"),
        (PUBLIC | {"qllama_config": {"cross_attention_frequency": 0}}, "must be above 0"),
        (PUBLIC | {"qllama_config": {"hidden_act": "gelu"}}, "a QLLaMA has 'silu'"),
        (PUBLIC | {"qllama_config": {"num_attention_heads": 7}}, "4096 cannot be split over 7"),
        (PUBLIC | {"vision_config": {"num_attention_heads": 7}}, "3200 cannot be split over 7"),
        (PUBLIC | {"attn_pool_num_heads": 25}, "4096 cannot be split over 25"),
        ("{truncat", "cannot be read as JSON"),
        ("[]", "not a JSON object"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_config(written(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing: a checkpoint folder needs"):
        read_config(tmp_path / "config.json")
