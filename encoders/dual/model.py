"""Build a checkpoint's model with transformers' own classes: strictly, and without its code."""

import contextlib
import logging
import pickle
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from encoders.base import Modality
from encoders.errors import CheckpointError

ModelClass = type[PreTrainedModel]
FEATURES = {"text": "get_text_features", "image": "get_image_features"}
DAMAGE = (OSError, ValueError, RuntimeError, KeyError, SafetensorError)
LEFTOVERS = (".position_ids", "text_model.pooler.dense.weight", "text_model.pooler.dense.bias")
SHOWN = 5  # names listed per kind of difference


def read_config(folder: Path) -> PreTrainedConfig:
    """The checkpoint's `transformers` configuration.

    Raises `CheckpointError` where there is none, where `transformers` does not know the
    architecture, or where it would have to run code that comes with the checkpoint.
    """
    try:
        with _quiet():
            return transformers.AutoConfig.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder} has no config.json of an architecture that transformers "
            f"{transformers.__version__} knows itself (code in checkpoints is never run): {error}"
        ) from error


def load_model(
    folder: Path,
    config: PreTrainedConfig,
    files: list[Path],
    towers: frozenset[Modality],
    dtype: torch.dtype,
) -> PreTrainedModel:
    """The model on the CPU in evaluation mode, holding only the asked towers.

    Raises `CheckpointError` for damaged files, names that are missing, superfluous or of another
    shape, and for architectures that do not have one vector per text and one per image.
    """
    model_class = _narrowed(_model_class(config), towers)
    attention = "sdpa" if model_class._supports_sdpa else "eager"
    try:
        with _quiet():
            model, report = model_class.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                attn_implementation=attention,  # never what a config.json asks to be downloaded
                use_safetensors=files[0].suffix == ".safetensors",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, and refused below
            )
    except pickle.UnpicklingError as error:  # its own text advises to run the pickle
        raise CheckpointError(
            f"the weights in {folder} cannot be loaded: {files[0].name} is damaged or holds more "
            "than tensors, and pickled code is never run"
        ) from error
    except DAMAGE as error:
        raise CheckpointError(f"the weights in {folder} cannot be loaded: {error}") from error
    _require_exact(folder, report, towers)
    return model.eval().requires_grad_(False)


def tower_of(name: str) -> Modality | None:
    """The tower a tensor or submodule belongs to by its name; None for what both share."""
    if name.startswith("text"):
        return "text"
    return "image" if name.startswith(("vis", "image")) else None


def is_inert(name: str) -> bool:
    """Whether a tensor decides no vector: scales of the loss, and what old files hold besides."""
    return name.startswith("logit_") or name.endswith(LEFTOVERS)


def _model_class(config: PreTrainedConfig) -> ModelClass:
    model_class: ModelClass | None = transformers.MODEL_MAPPING.get(type(config), None)
    if model_class is None or not all(hasattr(model_class, name) for name in FEATURES.values()):
        raise CheckpointError(
            f"an architecture of type {config.model_type!r} is not a dual encoder: it does not "
            "turn a text or an image alone into one vector (SigLIP, CLIP, Chinese-CLIP and others "
            "do)"
        )
    return model_class


def _narrowed(model_class: ModelClass, towers: frozenset[Modality]) -> ModelClass:
    """The class without the towers that were not asked for, so that they are never read."""

    def build(self: PreTrainedModel, config: PreTrainedConfig) -> None:
        model_class.__init__(self, config)
        for name, _ in list(self.named_children()):
            if _is_dropped(name, towers):
                delattr(self, name)

    def init_weights(self: PreTrainedModel, module: torch.nn.Module) -> None:
        if module is not self:  # the whole model's own rule expects both towers
            model_class._init_weights(self, module)

    if towers == FEATURES.keys():
        return model_class
    body = {
        "__init__": build,
        "_init_weights": init_weights,
        "__module__": model_class.__module__,  # only its own classes get old tensor names mapped
    }
    return type(model_class.__name__, (model_class,), body)


def _is_dropped(name: str, towers: frozenset[Modality]) -> bool:
    tower = tower_of(name)
    return tower is not None and tower not in towers


def _require_exact(
    folder: Path, report: Mapping[str, Iterable[Any]], towers: frozenset[Modality]
) -> None:
    """Raise `CheckpointError` unless every tensor of the model came from a file, and vice versa."""
    differences = {
        "missing": set(report["missing_keys"]),
        "unexpected": {
            name
            for name in report["unexpected_keys"]
            if not _is_dropped(name, towers) and not is_inert(name)
        },
        "of another shape": {str(entry[0]) for entry in report["mismatched_keys"]},
    }
    lines = [f"{kind}: {_some(names)}" for kind, names in differences.items() if names]
    if lines:
        raise CheckpointError(f"the weights in {folder} do not fit its config: " + "; ".join(lines))


def _some(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + rest


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bar and load report to itself: differences are errors here."""
    verbosity, bars = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
