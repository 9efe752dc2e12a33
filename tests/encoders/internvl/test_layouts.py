"""The original `.pth` files, InternViT alone, and LoRA wrappers."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from encoders import CheckpointError, InvalidOption
from encoders.internvl.layouts import LORA_ALPHA, our_name
from tests.encoders.internvl.tiny import FEATURES, TINY, Arrays, Load, load_facts, load_model

QKV = "vision_model.encoder.layers.0.attn.qkv.weight"
PROJECTION = "qllama.model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return load_file(TINY / "model.safetensors")


def pth_names() -> Mapping[str, str]:
    """Hub name -> name in the `.pth` file, of what that file has."""
    names = load_facts("10_pth_layout.json")["tiny"]
    return {hub: name for hub, name in names.items() if name}


@pytest.fixture
def pth(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    """The tiny model as `internvl_c_13b_224px.pth` is laid out."""
    for name in ("config.json", "tokenizer.model"):
        shutil.copyfile(TINY / name, tmp_path / name)
    path = tmp_path / "internvl_c_tiny_224px.pth"
    extra = {"clip_projector_leftover": torch.zeros(2)}
    torch.save({name: tensors[hub] for hub, name in pth_names().items()} | extra, path)
    return path


@pytest.fixture
def vit_pth(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    """The tiny tower as `intern_vit_6b_224px.pth` is laid out."""
    shutil.copyfile(TINY / "config.json", tmp_path / "config.json")
    path = tmp_path / "intern_vit_tiny_224px.pth"
    vision = {
        name: tensors[hub]
        for hub, name in pth_names().items()
        if hub.startswith(("vision_model", "clip_projector."))
    }
    torch.save({"module": vision}, path)
    return path


def test_every_pth_name_becomes_its_hub_name() -> None:
    assert {hub: our_name(name) for hub, name in pth_names().items()} == {
        hub: hub for hub in pth_names()
    }


def test_a_pth_file_gives_internvl_c(
    load: Load, pth: Path, images: list[Image.Image], numbers: Callable[[str], Arrays]
) -> None:
    encoder = load(pth)
    assert dict(encoder.info.vectors) == {"c": 32}
    pixels = [encoder.preprocess(image, "frame") for image in images]
    ours = encoder.encode_pixels(pixels, normalize=False)["c"]
    np.testing.assert_allclose(ours, numbers("03")["image_c"], atol=FEATURES)
    texts = load_facts("03_texts_tiny.json")["texts"]
    whole = load().encode_texts(texts)["c"]
    np.testing.assert_allclose(encoder.encode_texts(texts)["c"], whole, atol=FEATURES)


def test_a_pth_file_has_no_g(load: Load, pth: Path) -> None:
    with pytest.raises(InvalidOption, match="has the vectors c, not 'g'"):
        load(pth, vectors=["c", "g"])


def test_a_pth_file_without_a_config_must_have_the_public_numbers(load: Load, pth: Path) -> None:
    (pth.parent / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"patch_embedding.bias: expected \[3200\]|missing"):
        load(pth)


def test_the_tower_alone_gives_c(
    load: Load, vit_pth: Path, images: list[Image.Image], numbers: Callable[[str], Arrays]
) -> None:
    encoder = load(vit_pth)
    assert encoder.info.modalities == {"image"}
    pixels = [encoder.preprocess(image, "frame") for image in images]
    ours = encoder.encode_pixels(pixels, normalize=False)
    np.testing.assert_allclose(ours["c"], numbers("03")["image_c"], atol=FEATURES)


def test_internvit_from_the_hub_gives_the_probe_feature(
    load: Load,
    tmp_path: Path,
    tensors: dict[str, Tensor],
    images: list[Image.Image],
    numbers: Callable[[str], Arrays],
) -> None:
    config = json.loads((TINY / "config.json").read_text("utf-8"))["vision_config"]
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    vision = {
        name.removeprefix("vision_model."): tensor
        for name, tensor in tensors.items()
        if name.startswith("vision_model.")
    }
    save_file(vision, tmp_path / "model.safetensors")
    encoder = load(tmp_path)
    pixels = [encoder.preprocess(image, "frame") for image in images]
    ours = encoder.encode_pixels(pixels, normalize=False)["default"]
    last = numbers("04_vit")["hidden_states_224"][-1]
    expected = np.concatenate([last[:, 0], last[:, 1:].mean(1)], axis=1)
    np.testing.assert_allclose(ours, expected, atol=FEATURES)
    with pytest.raises(InvalidOption, match="no text tower"):
        load(tmp_path, towers={"text"})


@pytest.mark.parametrize("base_layer", [".base_layer", ""])
def test_lora_wrappers_are_merged(copy: Path, tensors: dict[str, Tensor], base_layer: str) -> None:
    expected = {}
    wrapped = {_wrapped(name, base_layer): tensor for name, tensor in tensors.items()}
    for name in (QKV, PROJECTION):
        out, width = tensors[name].shape
        down, up = torch.randn(2, width), torch.randn(out, 2) / 1000
        stem = _wrapped(name, "").removesuffix(".weight")
        wrapped |= {f"{stem}.lora_A.default.weight": down, f"{stem}.lora_B.default.weight": up}
        expected[name] = tensors[name] + LORA_ALPHA / 2 * up @ down
    save_file(wrapped, copy / "model.safetensors")
    weights = load_model(copy).state_dict()
    for name, tensor in {**tensors, **expected}.items():
        torch.testing.assert_close(weights[name], tensor)


def test_half_a_lora_update_is_refused(load: Load, copy: Path, tensors: dict[str, Tensor]) -> None:
    stem = _wrapped(QKV, "").removesuffix(".weight")
    tensors[f"{stem}.lora_A.default.weight"] = torch.zeros(2, 64)
    save_file(tensors, copy / "model.safetensors")
    with pytest.raises(CheckpointError, match="half a LoRA update"):
        load(copy)


def _wrapped(name: str, base_layer: str) -> str:
    """The name that peft gives a tensor of a wrapped tower."""
    name = name.replace("vision_model.", "vision_model.base_model.model.")
    name = name.replace("qllama.", "qllama.base_model.model.")
    stem, _, leaf = name.rpartition(".")
    adapted = stem.endswith((".qkv", "_proj", ".proj", ".fc1", ".fc2")) and "layers" in stem
    return f"{stem}{base_layer}.{leaf}" if adapted and "cross" not in stem else name
