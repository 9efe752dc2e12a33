"""Chat models against what the public InternVLChatModel computed on four tiny checkpoints."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
)

from encoders import CheckpointError
from encoders.heads.chat.load import load_chat
from encoders.heads.chat.model import ChatModel, pixel_shuffle

DATA = Path(__file__).parents[2] / "data" / "chat"
FAMILIES = ("a_internlm2", "b_qwen2", "c_llama", "d_phi3")

Numbers = Mapping[str, NDArray[np.float32]]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str) -> ChatModel:
    return load_chat(DATA / family, "cpu")


@pytest.fixture(scope="module")
def expected(family: str) -> Numbers:
    return dict(np.load(DATA / family / "expected.npz"))


def close(found: torch.Tensor, reference: NDArray[np.float32], within: float) -> None:
    np.testing.assert_allclose(found.detach().numpy(), reference, rtol=0, atol=within)


def tensor(expected: Numbers, name: str) -> torch.Tensor:
    return torch.from_numpy(np.array(expected[name]))


def logits_of(model: ChatModel, embedded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    found: torch.Tensor = model.language_model(
        inputs_embeds=embedded, attention_mask=mask, position_ids=positions
    ).logits
    return found


@torch.inference_mode()
def test_the_tower_and_the_projector(model: ChatModel, expected: Numbers) -> None:
    pixels = tensor(expected, "pixel_values")
    for found, reference in zip(
        model.vision_model.stages(pixels), expected["vit_hidden_states"], strict=True
    ):
        close(found, reference, 2e-5)
    close(model.see(pixels), expected["vit_embeds"], 2e-5)
    version = model.config.shuffle
    patches = model._select(pixels)[:, 1:].reshape(len(pixels), 4, 4, -1)
    close(pixel_shuffle(patches, version).flatten(1, 2), expected["pixel_shuffled"], 2e-5)


@torch.inference_mode()
def test_a_larger_picture(family: str, expected: Numbers) -> None:
    model = load_chat(DATA / family, "cpu")
    model.vision_model.resize(84)
    close(model.see(tensor(expected, "pixel_values_84")), expected["vit_embeds_84"], 2e-5)


@torch.inference_mode()
def test_pictures_and_text_to_logits(model: ChatModel, expected: Numbers) -> None:
    ids = tensor(expected, "input_ids")
    token = int(expected["img_context_token_id"])
    embedded = model.embed(ids, tensor(expected, "pixel_values"), token)
    close(embedded, expected["inputs_embeds"], 2e-5)
    found = model.language_model(inputs_embeds=embedded, output_hidden_states=True)
    for states, reference in zip(found.hidden_states, expected["llm_hidden_states"], strict=True):
        close(states, reference, 5e-5)
    close(found.logits, expected["logits"], 1e-4)


@torch.inference_mode()
def test_text_alone(model: ChatModel, expected: Numbers) -> None:
    ids = tensor(expected, "text_input_ids")
    close(model.language_model(input_ids=ids).logits, expected["text_logits"], 1e-4)


@torch.inference_mode()
def test_a_padded_batch(model: ChatModel, expected: Numbers) -> None:
    ids, mask = tensor(expected, "batch_input_ids"), tensor(expected, "batch_attention_mask")
    token = int(expected["img_context_token_id"])
    embedded = model.embed(ids, tensor(expected, "pixel_values"), token)
    found = logits_of(model, embedded, mask) * mask[..., None]
    close(found, expected["batch_logits"], 1e-4)


@torch.inference_mode()
def test_a_picture_that_is_not_shown(model: ChatModel, expected: Numbers) -> None:
    ids = tensor(expected, "flag10_input_ids")
    shown = tensor(expected, "pixel_values")[tensor(expected, "flag10_image_flags")[:, 0] == 1]
    embedded = model.embed(ids, shown, int(expected["img_context_token_id"]))
    close(model.language_model(inputs_embeds=embedded).logits, expected["flag10_logits"], 1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("scaled", ["a_internlm2", "d_phi3"])
def test_beyond_the_trained_length(scaled: str) -> None:
    expected = dict(np.load(DATA / scaled / "expected.npz"))
    language = load_chat(DATA / scaled, "cpu").language_model
    ids, places = tensor(expected, "long_input_ids"), tensor(expected, "long_token_index")
    close(language(input_ids=ids).logits[:, places], expected["long_logits"], 1e-4)
    # ... and a short text after a long one is what it was before.
    close(
        language(input_ids=tensor(expected, "text_input_ids")).logits, expected["text_logits"], 1e-4
    )


def test_both_pixel_shuffles() -> None:
    numbers = np.load(DATA / "11_chat.npz")
    cells = torch.from_numpy(numbers["pixel_shuffle_in"])
    for version in ("v1", "v2"):
        close(pixel_shuffle(cells, version), numbers[f"pixel_shuffle_{version}"], 0)


def test_places_must_be_as_many_as_image_tokens(model: ChatModel, expected: Numbers) -> None:
    ids = tensor(expected, "input_ids")
    with pytest.raises(ValueError, match="8 places for 0 image tokens"):
        model.embed(ids, None, int(expected["img_context_token_id"]))


@pytest.mark.parametrize(
    ("language", "tied"),
    [("qwen2", False), ("qwen2", True), ("qwen3", False), ("qwen3_moe", False), ("llama", False)],
)
@torch.inference_mode()
def test_checkpoints_of_transformers_own_classes(
    tmp_path: Path, language: str, *, tied: bool
) -> None:
    torch.manual_seed(4)
    vision = InternVLVisionConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=56,
        patch_size=14,
        attention_bias=not tied,
        use_qk_norm=tied,
        norm_type="rms_norm" if tied else "layer_norm",
    )
    text = AutoConfig.for_model(
        language,
        hidden_size=48,
        head_dim=12,
        moe_intermediate_size=24,
        num_experts=4,
        num_experts_per_tok=2,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=300,
        tie_word_embeddings=tied,
    )
    config = InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=292,
        image_seq_length=4,
        tie_word_embeddings=tied,
    )
    theirs = InternVLForConditionalGeneration(config).eval()
    for parameter in theirs.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    theirs.save_pretrained(tmp_path)
    ours = load_chat(tmp_path, "cpu")
    ids = torch.tensor([[5, 6, 292, 292, 292, 292, 7, 8]])
    pixels = torch.randn(1, 3, 56, 56)
    reference = theirs(input_ids=ids, pixel_values=pixels).logits
    found = ours.language_model(inputs_embeds=ours.embed(ids, pixels, 292)).logits
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-4)


def damaged(folder: Path, family: str, **changes: object) -> Path:
    shutil.copytree(DATA / family, folder)
    config = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        *parents, leaf = path.split("__")
        section = config
        for parent in parents:
            section = section[parent]
        section[leaf] = value
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'glm', which transformers does not have"):
        load_chat(damaged(tmp_path / "glm", "b_qwen2", llm_config__model_type="glm"), "cpu")
    with pytest.raises(CheckpointError, match="needs an InternVL chat checkpoint"):
        load_chat(damaged(tmp_path / "clip", "b_qwen2", model_type="clip"), "cpu")
    with pytest.raises(
        CheckpointError, match=r"k_proj.weight: expected \[36, 48\], found \[48, 48\]"
    ):
        load_chat(damaged(tmp_path / "kv", "c_llama", llm_config__num_key_value_heads=3), "cpu")
    with pytest.raises(CheckpointError, match="wrong shape"):
        load_chat(
            damaged(tmp_path / "wqkv", "a_internlm2", llm_config__num_key_value_heads=4), "cpu"
        )
    folder = damaged(tmp_path / "missing", "b_qwen2")
    tensors = load_file(folder / "model.safetensors")
    tensors["language_model.surplus"] = tensors.pop("mlp1.1.weight").clone()
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"missing \(1\):\s+mlp1.1.weight") as error:
        load_chat(folder, "cpu")
    assert "unexpected (1):\n    language_model.surplus" in str(error.value)
