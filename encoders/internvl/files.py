"""Tensors in files, read one by one: safetensors, and torch files without running their pickles."""

import json
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from encoders.errors import CheckpointError

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WHOLE = ("model.safetensors", "pytorch_model.bin")


class TensorFile(Protocol):
    """Named tensors of one file; `shapes` costs no more than reading its header."""

    @property
    def path(self) -> Path: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name -> shape."""
        ...

    def read(self, name: str) -> Tensor:
        """One tensor, on the CPU and in its stored dtype, backed by the file where possible."""
        ...


def open_checkpoint(path: Path) -> list[TensorFile]:
    """The files of a checkpoint folder (whole or sharded), or the one `.pth` file at `path`.

    Raises `CheckpointError` naming the file that is missing, cut short or refused.
    """
    if path.is_file():
        return [_open(path)]
    for name in WHOLE:
        if (path / name).is_file():
            return [_open(path / name)]
    for name in INDEXES:
        if (path / name).is_file():
            return [_open(path / shard) for shard in _shards(path / name)]
    expected = ", ".join((*WHOLE, *INDEXES))
    raise CheckpointError(f"{path} has no weights: expected one of {expected}. Fetch them again")


def _shards(index: Path) -> Iterable[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is damaged ({error!r}): fetch it again") from error
    if any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index} names a file outside its own folder")
    return names


def _open(path: Path) -> TensorFile:
    if not path.is_file():
        raise CheckpointError(
            f"{path} is missing, though the index names it: the download is incomplete, "
            "run it again"
        )
    return SafetensorsFile(path) if path.suffix == ".safetensors" else TorchFile(path)


class SafetensorsFile:
    """A `.safetensors` file, mapped."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            opened: Any = safe_open(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error
        self._file = opened
        self.shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118

    def read(self, name: str) -> Tensor:
        """See `TensorFile.read`."""
        tensor: Tensor = self._file.get_tensor(name)
        return tensor


class TorchFile:
    """A `.bin` or `.pth` file, mapped where its format allows; anything but tensors is refused."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tensors = _tensors_of(self._load(), path)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def _load(self) -> object:
        mapped = zipfile.is_zipfile(self.path)  # the format before torch 1.6 cannot be mapped
        try:
            content: object = torch.load(
                self.path, map_location="cpu", weights_only=True, mmap=mapped or None
            )
        except pickle.UnpicklingError as error:
            raise CheckpointError(
                f"{self.path} is damaged, or holds more than tensors (code, perhaps), which is "
                "never loaded: fetch it again, or use the safetensors files"
            ) from error
        except Exception as error:
            raise _damaged(self.path, error) from error
        return content

    def read(self, name: str) -> Tensor:
        """See `TensorFile.read`."""
        return self._tensors[name]


def _tensors_of(content: object, path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, under "module" by DeepSpeed, under "state_dict" by mmcv."""
    if isinstance(content, dict):
        content = content.get("module", content.get("state_dict", content))
    if not isinstance(content, dict) or not any(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} has no named tensors: it is not a model checkpoint")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _damaged(path: Path, error: Exception) -> CheckpointError:
    size = path.stat().st_size
    return CheckpointError(
        f"{path} is cut short or damaged, or no model at all ({size:,} bytes; {error}): "
        "fetch it again"
    )
