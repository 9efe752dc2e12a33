from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders import LoadOptions
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.load import load_internvl
from indexer import LocalStore, Store
from tests.encoders.internvl.tiny import TINY


@pytest.fixture(scope="session")
def internvl() -> InternVLEncoder:
    """The tiny checkpoint: vectors `c` and `g`, and pictures matched with texts."""
    return load_internvl(str(TINY), LoadOptions(device="cpu"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = LocalStore(tmp_path)
    yield opened
    opened.close()
