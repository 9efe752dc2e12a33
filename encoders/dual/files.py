"""From a folder or a hub id to the files of a checkpoint on this machine. Nothing is downloaded."""

import json
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from encoders.errors import CheckpointError, ModelUnavailable, UnknownEncoder

SINGLE_FILES = ("model.safetensors", "pytorch_model.bin")
"""Weights in one file; `NAME.index.json` lists the shards of weights in several."""

SIZES = {
    "google/siglip2-base-patch16-224": "1.5 GB",
    "google/siglip2-base-patch16-naflex": "1.5 GB",
    "google/siglip2-large-patch16-256": "3.5 GB",
    "google/siglip2-so400m-patch14-384": "4.5 GB",
    "google/siglip-base-patch16-224": "0.8 GB",
    "facebook/metaclip-2-worldwide-b32": "2.4 GB",
    "facebook/metaclip-2-worldwide-l14": "4.3 GB",
    "facebook/metaclip-2-worldwide-huge-quickgelu": "7.4 GB",
    "openai/clip-vit-base-patch32": "0.6 GB",
    "openai/clip-vit-large-patch14": "1.7 GB",
    "OFA-Sys/chinese-clip-vit-base-patch16": "0.8 GB",
    "OpenGVLab/InternVL-14B-224px": "27.7 GB",
    "OpenGVLab/InternVL-14B-Flickr30K-FT-364px": "27.7 GB",
    "OpenGVLab/InternVL-14B-FlickrCN-FT-364px": "27.7 GB",
    "OpenGVLab/InternViT-6B-224px": "11.8 GB",
    "OFA-Sys/chinese-clip-vit-large-patch14": "1.6 GB",
    "BAAI/AltCLIP": "3.5 GB",
    "BAAI/AltCLIP-m18": "4.8 GB",
}
"""Download sizes of checkpoints people start with, weights in one format only."""


def find_checkpoint(name_or_path: str) -> Path:
    """The folder of a checkpoint: the path itself, or a hub id's snapshot in the local hub cache.

    The cache is where `HF_HOME` and `HF_HUB_CACHE` say. Raises `UnknownEncoder` for what is
    neither a folder nor a hub id, and `ModelUnavailable` for an id that was not fetched yet.
    """
    folder = Path(name_or_path).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise UnknownEncoder(
            f"{name_or_path!r} is a file, and a checkpoint of this kind is a folder: name the one "
            "with its config.json, weights and tokenizer"
        )
    try:
        return Path(snapshot_download(name_or_path, local_files_only=True))
    except HFValidationError:
        raise UnknownEncoder(f"there is no checkpoint folder or file {name_or_path!r}") from None
    except LocalEntryNotFoundError:
        raise unavailable(name_or_path) from None


def weight_files(folder: Path, name: str) -> list[Path]:
    """The files that hold a checkpoint's weights, safetensors before pickled ones.

    Raises `CheckpointError` where a local folder lacks them and `ModelUnavailable` where the hub
    cache holds only a part of what `name` needs.
    """
    for single in SINGLE_FILES:
        index = folder / f"{single}.index.json"
        files = _shards(index) if index.is_file() else [folder / single]
        missing = [file.name for file in files if not file.is_file()]
        if not missing:
            return files
        if index.is_file():
            raise _incomplete(folder, name, missing)
    raise _incomplete(folder, name, [SINGLE_FILES[0]])


def unavailable(hub_id: str) -> ModelUnavailable:
    """The error for a model that is not on this machine, with the command that fetches it."""
    size = f" (about {SIZES[hub_id]})" if hub_id in SIZES else ""
    return ModelUnavailable(
        f"{hub_id} is not on this machine, neither as a folder nor in the hub cache. "
        f"Fetch it{size} with: hf download {hub_id}\n"
        "Where there is no network, bring the folder from elsewhere and name its path.\n"
        "Without it, the small built-in encoder works: --encoder offline"
    )


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is damaged: {error}") from error
    if any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index} points outside its own folder")
    return [index.with_name(name) for name in names]


def _incomplete(folder: Path, name: str, missing: list[str]) -> CheckpointError | ModelUnavailable:
    if Path(name).expanduser().is_dir():
        return CheckpointError(f"{folder} lacks {', '.join(missing)}")
    return unavailable(name)
