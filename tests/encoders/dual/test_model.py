"""Loading weights: strictly, in any of the public formats, and without running their code."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file

from encoders import CheckpointError, LoadOptions
from encoders.base import Modality
from encoders.dual.encoder import DualEncoder
from encoders.dual.files import weight_files
from encoders.dual.model import load_model, read_config
from tests.encoders.checkpoints import BUILDERS, edit_json, edit_weights

Array = NDArray[np.float32]
INTRUDER = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
"""


def load(folder: Path) -> DualEncoder:
    return DualEncoder.load(str(folder), LoadOptions(device="cpu"))


def vector(folder: Path) -> Array:
    return load(folder).encode_texts(["a red cat"])["default"]


@pytest.fixture
def expected(checkpoint: Callable[[str], Path]) -> Array:
    return vector(checkpoint("clip"))


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize(("tower", "other"), [("text", "vis"), ("image", "text")])
def test_a_tower_that_was_not_asked_for_is_not_loaded(
    checkpoint: Callable[[str], Path],
    kind: str,
    tower: Modality,
    other: str,
) -> None:
    folder = checkpoint(kind)
    files = weight_files(folder, str(folder))
    model = load_model(folder, read_config(folder), files, frozenset({tower}), torch.float32)
    names = list(model.state_dict())
    assert names
    assert not [name for name in names if name.startswith(other)]


def test_shards_load_like_one_file(clip_copy: Path, expected: Array) -> None:
    model = transformers.AutoModel.from_pretrained(clip_copy)
    (clip_copy / "model.safetensors").unlink()
    model.save_pretrained(clip_copy, max_shard_size="20KB")
    assert len(weight_files(clip_copy, str(clip_copy))) > 1
    np.testing.assert_allclose(vector(clip_copy), expected, atol=1e-6)


def test_pickled_tensors_load_without_running_the_pickle(
    clip_copy: Path,
    expected: Array,
) -> None:
    tensors = load_file(clip_copy / "model.safetensors")
    torch.save(tensors, clip_copy / "pytorch_model.bin")
    (clip_copy / "model.safetensors").unlink()
    np.testing.assert_allclose(vector(clip_copy), expected, atol=1e-6)


class Intruder:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.mark}'",)


def test_a_pickle_with_code_is_refused(clip_copy: Path, tmp_path: Path) -> None:
    torch.save({"logit_scale": Intruder(tmp_path / "ran")}, clip_copy / "pytorch_model.bin")
    (clip_copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pickled code is never run$"):
        load(clip_copy)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kept", [0, 5, 500, -100])
def test_a_truncated_file_is_refused(clip_copy: Path, kept: int) -> None:
    path = clip_copy / "model.safetensors"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:kept])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load(clip_copy)


def test_a_truncated_pickle_is_refused(clip_copy: Path) -> None:
    path = clip_copy / "pytorch_model.bin"
    torch.save(load_file(clip_copy / "model.safetensors"), path)
    (clip_copy / "model.safetensors").unlink()
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load(clip_copy)


def test_a_missing_tensor_is_named(clip_copy: Path) -> None:
    edit_weights(clip_copy, lambda tensors: tensors.pop("visual_projection.weight"))
    with pytest.raises(CheckpointError, match=r"missing: visual_projection\.weight$"):
        load(clip_copy)


def test_many_missing_tensors_are_counted(clip_copy: Path) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if ".layers.1." in name]:
            del tensors[name]

    edit_weights(clip_copy, drop)
    with pytest.raises(CheckpointError, match=r"missing: text_model.* and 27 more$"):
        load(clip_copy)


def test_an_unexpected_tensor_is_named(clip_copy: Path) -> None:
    edit_weights(clip_copy, lambda tensors: tensors.update({"adapter.weight": torch.zeros(2)}))
    with pytest.raises(CheckpointError, match=r"unexpected: adapter\.weight$"):
        load(clip_copy)


def test_a_tensor_of_another_shape_is_refused(clip_copy: Path) -> None:
    edit_weights(
        clip_copy, lambda tensors: tensors.update({"text_projection.weight": torch.zeros(8, 3)})
    )
    with pytest.raises(CheckpointError, match=r"of another shape: text_projection\.weight$"):
        load(clip_copy)


def test_leftovers_of_old_files_are_no_difference(
    checkpoint: Callable[[str], Path], clip_copy: Path
) -> None:
    leftovers = {
        "text_model.embeddings.position_ids": torch.arange(20)[None],
        "text_model.pooler.dense.bias": torch.zeros(16),
    }
    edit_weights(clip_copy, lambda tensors: tensors.update(leftovers))
    assert load(clip_copy).info.fingerprint == load(checkpoint("clip")).info.fingerprint


def test_an_architecture_without_two_towers_is_refused(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=10,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"'bert' is not a dual encoder"):
        load(tmp_path)


@pytest.mark.parametrize("text", [None, "{", "{}", '{"model_type": "jina_clip"}'])
def test_a_config_that_transformers_does_not_know_is_refused(
    clip_copy: Path, text: str | None
) -> None:
    (clip_copy / "config.json").unlink()
    if text is not None:
        (clip_copy / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load(clip_copy)


@pytest.mark.parametrize("model_type", ["clip", "clip_of_its_own"])
def test_code_in_a_checkpoint_is_never_run(clip_copy: Path, model_type: str) -> None:
    (clip_copy / "intruder.py").write_text(INTRUDER)
    names = ("AutoConfig", "AutoModel", "AutoProcessor", "AutoImageProcessor", "AutoTokenizer")
    auto_map: dict[str, object] = dict.fromkeys(names, "intruder.Intruder")
    auto_map["AutoTokenizer"] = ["intruder.Intruder", None]
    edit_json(clip_copy / "config.json", auto_map=auto_map, model_type=model_type)
    edit_json(clip_copy / "preprocessor_config.json", auto_map=auto_map)
    edit_json(clip_copy / "tokenizer_config.json", auto_map=auto_map)
    if model_type == "clip":
        load(clip_copy)
    else:
        with pytest.raises(CheckpointError, match="never run"):
            load(clip_copy)
    assert not (clip_copy / "ran").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_damaged_processor_files_are_refused(clip_copy: Path, name: str) -> None:
    (clip_copy / name).write_text("{")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load(clip_copy)


def test_a_checkpoint_without_an_image_processor_is_refused(clip_copy: Path) -> None:
    (clip_copy / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="image processor"):
        load(clip_copy)


def test_attention_code_named_by_a_config_is_not_fetched(clip_copy: Path) -> None:
    config = json.loads((clip_copy / "config.json").read_text())
    config |= {"attn_implementation": "acme/kernel", "_attn_implementation": "acme/kernel"}
    (clip_copy / "config.json").write_text(json.dumps(config))
    load(clip_copy)
