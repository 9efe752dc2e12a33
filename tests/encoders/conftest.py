"""Tiny checkpoints, built once, and a hub cache of the tests' own."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def hub_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Fingerprints are remembered in a temporary folder, not in the user's."""
    home = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HOME", str(home))
        yield home


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Models this small only lose time by sharing it out, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny checkpoint of that kind; not to be written to."""
    from tests.encoders.checkpoints import BUILDERS

    root = tmp_path_factory.mktemp("checkpoints")

    def folder(kind: str) -> Path:
        path = root / kind
        if not path.exists():
            path.mkdir()
            BUILDERS[kind](path)
        return path

    return folder


@pytest.fixture
def clip_copy(checkpoint: Callable[[str], Path], tmp_path: Path) -> Path:
    """A CLIP checkpoint of the test's own, to be damaged."""
    return Path(shutil.copytree(checkpoint("clip"), tmp_path / "clip"))
