"""The tiny checkpoint, what the reference computed with it, and copies to be damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from encoders import LoadOptions
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.load import load_internvl
from encoders.internvl.model import InternVL
from tests.encoders.internvl.tiny import DATA, TINY, Arrays, Load, load_model, load_numbers


@pytest.fixture(scope="session")
def model() -> InternVL:
    """The whole tiny model in float32."""
    return load_model()


@pytest.fixture(scope="session")
def encoder() -> InternVLEncoder:
    """The tiny checkpoint as users get it."""
    return load_internvl(str(TINY), LoadOptions(device="cpu"))


@pytest.fixture(scope="session")
def load() -> Load:
    """Load the tiny checkpoint, or the one at `path`, on the CPU with some options."""

    def load(path: Path = TINY, **options: object) -> InternVLEncoder:
        return load_internvl(str(path), LoadOptions(**{"device": "cpu", **options}))  # type: ignore[arg-type]

    return load


@pytest.fixture(scope="session")
def numbers() -> Callable[[str], Arrays]:
    """Arrays of one fixture file, by the start of its name."""
    return load_numbers


@pytest.fixture(scope="session")
def images() -> list[Image.Image]:
    """The three pictures, as files hold them."""
    pictures = []
    for path in sorted((DATA / "images").iterdir()):
        with Image.open(path) as picture:
            pictures.append(picture.copy())
    return pictures


@pytest.fixture(scope="session")
def pixels() -> torch.Tensor:
    """The three pictures as the reference's processor saw them, `[3, 3, 224, 224]`."""
    return torch.from_numpy(np.load(DATA / "02_preprocess.npz")["clip_pixel_values"])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be changed."""
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder
