"""A checkpoint on this machine: its files, its configuration and the names of its tensors."""

from dataclasses import dataclass
from pathlib import Path

from encoders.dual.files import find_checkpoint
from encoders.internvl.config import read_config
from encoders.internvl.files import TensorFile, open_checkpoint
from encoders.internvl.model import InternVLConfig
from encoders.internvl.vision import VisionConfig
from encoders.internvl.weights import Catalogue


@dataclass(frozen=True)
class Checkpoint:
    """Files of one model; `folder` also holds its tokenizer.

    `alone` means an InternViT, of whose `config` only the vision and pooling numbers count.
    `lenient` allows tensors beyond the model's own, of which the public `.pth` files have some.
    """

    folder: Path
    config: InternVLConfig
    catalogue: Catalogue
    files: list[Path]
    alone: bool
    lenient: bool


def open_internvl(name_or_path: str) -> Checkpoint:
    """Find and describe a folder, a hub id in the local cache, or one `.pth` file; read no weights.

    Raises `UnknownEncoder`, `ModelUnavailable` or `CheckpointError`.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return _open_single(path)
    folder = find_checkpoint(name_or_path)
    config = read_config(folder / "config.json")
    files = open_checkpoint(folder)
    alone = isinstance(config, VisionConfig)
    return _checkpoint(folder, config, files, alone=alone, lenient=False)


def _open_single(path: Path) -> Checkpoint:
    """A `.pth` file does not tell its numbers: a config.json's beside it, or the public 14B's."""
    files = open_checkpoint(path)
    beside = path.parent / "config.json"
    config = read_config(beside) if beside.is_file() else InternVLConfig()
    alone = "qllama.model.norm.weight" not in Catalogue.of(files).weights
    return _checkpoint(path.parent, config, files, alone=alone, lenient=True)


def _checkpoint(
    folder: Path,
    config: InternVLConfig | VisionConfig,
    files: list[TensorFile],
    *,
    alone: bool,
    lenient: bool,
) -> Checkpoint:
    whole = InternVLConfig(vision=config) if isinstance(config, VisionConfig) else config
    paths = [file.path for file in files]
    return Checkpoint(folder, whole, Catalogue.of(files), paths, alone, lenient)
