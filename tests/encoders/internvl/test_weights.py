"""Strict loading: names, shapes, damage, memory."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from encoders import CheckpointError
from encoders.internvl import memory
from encoders.internvl.config import read_config
from encoders.internvl.internvit import InternViT
from encoders.internvl.model import PARTS, InternVL, InternVLConfig, Part
from encoders.internvl.placement import on_meta
from encoders.internvl.vision import VisionConfig
from encoders.internvl.weights import shapes_of
from tests.encoders.internvl.tiny import TINY, Load, load_facts, load_model

Tensors = dict[str, Tensor]
ROW = "vision_model.encoder.layers.1.norm1.weight"


@pytest.fixture
def tensors() -> Tensors:
    return load_file(TINY / "model.safetensors")


@pytest.fixture
def store(copy: Path) -> Callable[[Mapping[str, Tensor]], Path]:
    """Write other tensors into a copy of the tiny checkpoint."""

    def store(tensors: Mapping[str, Tensor]) -> Path:
        save_file(dict(tensors), copy / "model.safetensors")
        return copy

    return store


def assert_equal(ours: InternVL, theirs: InternVL) -> None:
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)


def test_the_full_size_model_has_the_public_names_and_shapes() -> None:
    facts = load_facts("10_hf_full_state_dict_shapes.json")
    shapes = shapes_of(on_meta(lambda: InternVL(InternVLConfig())))
    assert len(shapes) == facts["num_tensors"] == 1048
    assert shapes == {name: tuple(shape) for name, shape in facts["hf_state_dict"].items()}


@pytest.mark.parametrize(
    ("parts", "fact"),
    [(PARTS, "num_params"), ({"c", "text"}, "internvl_c_pth_params")],
)
def test_the_full_size_model_has_the_public_size(parts: set[Part], fact: str) -> None:
    model = on_meta(lambda: InternVL(InternVLConfig(), parts))
    expected = load_facts("10_hf_full_state_dict_shapes.json")[fact]
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == expected


def test_internvit_6b_has_the_public_size() -> None:
    model = on_meta(lambda: InternViT(InternVLConfig(), projector=True))
    by_part = load_facts("10_hf_full_state_dict_shapes.json")["params_by_part"]
    expected = by_part["vision_model."] + by_part["clip_projector."]
    assert sum(tensor.numel() for tensor in model.state_dict().values()) == expected


def test_parts_that_are_not_asked_for_take_no_memory() -> None:
    def names(*parts: Part) -> set[str]:
        return {n.split(".")[0] for n in shapes_of(on_meta(lambda: InternVL(config, parts)))}

    config = InternVLConfig()
    assert names("c") == {"vision_model", "clip_projector", "logit_scale"}
    assert names("text") == {"qllama", "text_projection", "logit_scale"}
    text = shapes_of(on_meta(lambda: InternVL(config, {"text"})))
    assert not any("cross_attn" in name or "lm_head" in name for name in text)
    image = shapes_of(on_meta(lambda: InternVL(config, {"g"})))
    assert not any("embed_tokens" in name or "lm_head" in name for name in image)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pickled", [False, True])
def test_shards_give_the_same(
    copy: Path, tensors: Tensors, pickled: bool, dtype: torch.dtype
) -> None:
    (copy / "model.safetensors").unlink()
    save_torch_state_dict(
        tensors,
        copy,
        filename_pattern="pytorch_model{suffix}.bin" if pickled else "model{suffix}.safetensors",
        max_shard_size="500KB",
        safe_serialization=not pickled,
    )
    assert len(list(copy.glob("*-of-*"))) > 3
    assert_equal(load_model(copy, dtype=dtype), load_model(dtype=dtype))


def test_the_old_torch_format_gives_the_same(copy: Path, tensors: Tensors) -> None:
    (copy / "model.safetensors").unlink()
    torch.save(tensors, copy / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert_equal(load_model(copy), load_model())


def test_saved_and_loaded_again_it_is_the_same(
    store: Callable[[Mapping[str, Tensor]], Path],
) -> None:
    assert_equal(load_model(store(load_model().state_dict())), load_model())


def test_the_output_layer_is_never_tied(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text("utf-8"))
    config["tie_word_embeddings"] = config["qllama_config"]["tie_word_embeddings"] = True
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    model = load_model(copy)
    assert model.decoder.lm_head is not None
    assert not torch.equal(model.decoder.lm_head.weight, model.decoder.words(torch.arange(1000)))


def test_differences_are_listed_by_kind(
    load: Load, store: Callable[[Mapping[str, Tensor]], Path], tensors: Tensors
) -> None:
    del tensors["itm_head.bias"]
    tensors["stray"] = torch.zeros(3)
    tensors[ROW] = torch.zeros(65)
    with pytest.raises(CheckpointError) as error:
        load(store(tensors))
    report = str(error.value)
    assert "missing (1):\n    itm_head.bias [2]" in report
    assert "unexpected (1):\n    stray [3]" in report
    assert f"{ROW}: expected [64], found [65] in model.safetensors" in report


@pytest.mark.parametrize("left_out", ["query_tokens", "clip_projector2"])
def test_half_of_g_is_not_taken_for_c(
    load: Load, store: Callable[[Mapping[str, Tensor]], Path], tensors: Tensors, left_out: str
) -> None:
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(left_out)}
    with pytest.raises(CheckpointError, match=rf"missing .*\n    {left_out}"):
        load(store(kept))


def test_a_long_list_is_cut(
    load: Load, store: Callable[[Mapping[str, Tensor]], Path], tensors: Tensors
) -> None:
    kept = {name: tensor for name, tensor in tensors.items() if "layers" not in name}
    with pytest.raises(CheckpointError, match=r"missing \(\d\d\):(\n.*){8}\n    and \d\d more"):
        load(store(kept))


def test_a_tower_needs_only_its_own_tensors(
    load: Load, store: Callable[[Mapping[str, Tensor]], Path], tensors: Tensors
) -> None:
    text = {n: t for n, t in tensors.items() if n.startswith(("qllama", "text", "logit", "query"))}
    assert load(store(text), towers={"text"}).info.modalities == {"text"}
    with pytest.raises(CheckpointError, match="missing"):
        load(store(text))


def test_computed_tables_of_old_files_are_passed_over(
    load: Load, store: Callable[[Mapping[str, Tensor]], Path], tensors: Tensors
) -> None:
    tensors["qllama.model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(10)
    load(store(tensors))


@pytest.mark.parametrize("size", [0, 5, 2000, 2_000_000])
def test_a_file_cut_short_is_named(load: Load, copy: Path, size: int) -> None:
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"model.safetensors is cut short or damaged.*again"):
        load(copy)


@pytest.mark.parametrize("size", [0, 5, 2000, 2_000_000])
def test_a_torch_file_cut_short_is_named(
    load: Load, copy: Path, tensors: Tensors, size: int
) -> None:
    (copy / "model.safetensors").unlink()
    path = copy / "pytorch_model.bin"
    torch.save(tensors, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is .*damaged"):
        load(copy)


class Payload:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, ("raise SystemExit('the pickle was executed')",)


def test_code_in_a_pickle_is_refused(load: Load, copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    torch.save({"weight": Payload()}, copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="never loaded"):
        load(copy)


def test_a_file_of_something_else_is_refused(load: Load, copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    torch.save({"epoch": 3}, copy / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="no named tensors"):
        load(copy)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {ROW: "model-00001-of-00002.safetensors"}}, "download is incomplete"),
        ({"weight_map": {ROW: "../model.safetensors"}}, "outside its own folder"),
        ({"weight_map": None}, "is damaged"),
        ([], "is damaged"),
    ],
)
def test_a_bad_index_is_named(load: Load, copy: Path, index: object, message: str) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(CheckpointError, match=message):
        load(copy)


def test_a_folder_without_weights_is_named(load: Load, copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights: expected one of model"):
        load(copy)


def test_too_little_memory_is_refused_before_anything_is_read(
    load: Load, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 16000000 kB\nMemAvailable: 1000 kB\n", "utf-8")
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    with pytest.raises(CheckpointError, match=r"need 0\.003 GB on cpu, which has 0\.001 GB free"):
        load(copy)


PEAK = """
import sys, threading
from encoders import LoadOptions
from encoders.internvl.load import load_internvl

def anonymous():
    lines = open("/proc/self/status").read().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024

def watch():
    while not done.wait(0.002):
        peaks.append(anonymous())

before, peaks, done = anonymous(), [0], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
load_internvl(sys.argv[1], LoadOptions(device="cpu", dtype="bfloat16"))
done.set()
watcher.join()
print(max(peaks) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_is_near_what_is_loaded(tmp_path: Path) -> None:
    """Float32 shards into bfloat16: at no time do both lie in memory."""
    numbers = {"hidden_size": 512, "num_hidden_layers": 6, "num_attention_heads": 4}
    config = {"model_type": "intern_vit_6b", "intermediate_size": 8192, **numbers}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    meta = _described(tmp_path)
    save_torch_state_dict(
        {name: torch.zeros(shape) for name, shape in meta.items()}, tmp_path, max_shard_size="40MB"
    )
    loaded = 2 * sum(torch.Size(shape).numel() for shape in meta.values())
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    largest = 4 * 512 * 8192
    assert int(run.stdout) < loaded + 3 * largest + 20e6


def _described(folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the InternViT that `config.json` describes, as its files name them."""
    vision = read_config(folder / "config.json")
    assert isinstance(vision, VisionConfig)
    shapes = shapes_of(on_meta(lambda: InternViT(InternVLConfig(vision), projector=False)))
    return {name.removeprefix("vision_model."): shape for name, shape in shapes.items()}
