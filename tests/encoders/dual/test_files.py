"""Finding a checkpoint's files, and saying what to do where they are not."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from encoders import CheckpointError, LoadOptions, ModelUnavailable
from encoders.dual.encoder import DualEncoder
from encoders.dual.files import SIZES, weight_files

ROOT = Path(__file__).parents[3]
TINY_ID = "acme/tiny-clip"


def hub_cache(home: Path, checkpoint: Path, *, without: str = "") -> None:
    """Lay a checkpoint out as the hub's client does."""
    repo = home / "hub" / f"models--{TINY_ID.replace('/', '--')}"
    shutil.copytree(checkpoint, repo / "snapshots" / ("0" * 40))
    if without:
        (repo / "snapshots" / ("0" * 40) / without).unlink()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
def test_a_model_that_is_not_here_says_what_fetches_it() -> None:
    hub_id = "google/siglip2-base-patch16-224"
    with pytest.raises(ModelUnavailable) as error:
        DualEncoder.load(hub_id, LoadOptions(device="cpu"))
    message = str(error.value)
    assert f"hf download {hub_id}" in message
    assert SIZES[hub_id] in message
    assert "--encoder offline" in message


def test_a_hub_id_loads_from_the_cache_that_hf_home_names(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    hub_cache(tmp_path, checkpoint("clip"))
    script = (
        "from encoders import load_encoder, ModelUnavailable\n"
        f"rows = load_encoder({TINY_ID!r}).encode_texts(['a cat'])['default']\n"
        "assert rows.shape == (1, 8), rows.shape\n"
        "try: load_encoder('acme/unknown')\n"
        "except ModelUnavailable as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "hf download acme/unknown" in run.stdout
    assert run.stderr == ""
    assert list((tmp_path / "polylens" / "fingerprints").iterdir())


def test_a_half_fetched_model_says_what_fetches_the_rest(
    checkpoint: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_cache(tmp_path, checkpoint("clip"), without="model.safetensors")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ModelUnavailable, match=f"hf download {TINY_ID}"):
        DualEncoder.load(TINY_ID, LoadOptions(device="cpu"))


def test_a_folder_without_weights_names_what_is_missing(clip_copy: Path) -> None:
    (clip_copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks model\.safetensors"):
        weight_files(clip_copy, str(clip_copy))


def test_a_missing_shard_is_named(clip_copy: Path) -> None:
    (clip_copy / "model.safetensors").rename(clip_copy / "model-1.safetensors")
    write_index(clip_copy, "model-1.safetensors", "model-2.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks model-2\.safetensors"):
        weight_files(clip_copy, str(clip_copy))


def test_safetensors_come_before_pickled_weights(clip_copy: Path) -> None:
    (clip_copy / "pytorch_model.bin").touch()
    assert weight_files(clip_copy, str(clip_copy)) == [clip_copy / "model.safetensors"]


def test_an_index_may_not_point_elsewhere(clip_copy: Path) -> None:
    write_index(clip_copy, "../clip/model.safetensors")
    with pytest.raises(CheckpointError, match="outside"):
        weight_files(clip_copy, str(clip_copy))


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_index_is_refused(clip_copy: Path, text: str) -> None:
    (clip_copy / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match="damaged"):
        weight_files(clip_copy, str(clip_copy))


def write_index(folder: Path, *names: str) -> None:
    index = {"weight_map": {f"tensor.{i}": name for i, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
