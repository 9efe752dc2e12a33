"""The image tower through `torch.compile`."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.vision import Block
from tests.encoders.internvl.tiny import FEATURES, Load
from tests.parts import require_part

# Of torch's own compiler, as it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def blocks(encoder: InternVLEncoder) -> list[Block]:
    assert encoder._maybe_images is not None
    modules = encoder._maybe_images._runner.model.modules()
    return [module for module in modules if isinstance(module, Block)]


def test_only_who_asks_gets_compiled_blocks(load: Load) -> None:
    compiled = [block._compiled_call_impl is not None for block in blocks(load(compile=True))]
    assert compiled == [True] * 3
    assert not any(block._compiled_call_impl for block in blocks(load()))


@pytest.mark.long
def test_a_compiled_tower_gives_the_same(
    load: Load,
    encoder: InternVLEncoder,
    images: list[Image.Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_part(shutil.which("g++") is not None, "a C++ compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    compiled = load(compile=True)
    for count in (9, 3, 1, 11):  # batches of several sizes
        ours, theirs = (e.encode_images((images * 4)[:count]) for e in (compiled, encoder))
        for name, rows in ours.items():
            np.testing.assert_allclose(rows, theirs[name], atol=FEATURES)
