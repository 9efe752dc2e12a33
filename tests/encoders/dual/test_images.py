"""The image transform alone."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import transformers
from PIL import Image

from encoders.dual.images import ImageTransform
from encoders.dual.model import read_config
from encoders.errors import InvalidInput
from tests.encoders.checkpoints import BUILDERS


def transform(folder: Path) -> ImageTransform:
    return ImageTransform(folder, read_config(folder))


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("size", [(33, 97), (640, 481), (17, 5), (32, 32), (300, 4)])
def test_pixels_equal_the_processors_own_bit_by_bit(
    checkpoint: Callable[[str], Path], kind: str, size: tuple[int, int]
) -> None:
    image = Image.effect_noise(size, 80).convert("RGB")
    processor = transformers.AutoImageProcessor.from_pretrained(checkpoint(kind), backend="pil")
    expected = processor(images=image, return_tensors="np")
    ours = transform(checkpoint(kind))
    inputs = ours.inputs([ours(image)])
    for name, value in inputs.items():
        np.testing.assert_array_equal(value.numpy(), np.stack(expected[name]), err_msg=name)
    assert inputs.keys() == expected.keys()


@pytest.mark.parametrize("kind", sorted(BUILDERS.keys() - {"naflex"}))
def test_processes_that_decode_need_no_torch(
    checkpoint: Callable[[str], Path], kind: str, tmp_path: Path
) -> None:
    ours = transform(checkpoint(kind))
    image = np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    script = (
        "import pickle, sys, numpy\n"
        f"preprocess = pickle.loads({pickle.dumps(ours.preprocess)!r})\n"
        "numpy.save('pixels.npy', preprocess(numpy.load('image.npy'), 'frame'))\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()\n"
    )
    path = {"PYTHONPATH": str(Path.cwd())}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=tmp_path, env=path)
    np.testing.assert_array_equal(np.load(tmp_path / "pixels.npy"), ours(image))


def test_other_steps_are_left_to_the_processor(checkpoint: Callable[[str], Path]) -> None:
    ours = transform(checkpoint("naflex"))
    assert ours.preprocess is ours


@pytest.mark.parametrize("size", [(1, 101), (5000, 40)])
def test_slivers_are_refused(checkpoint: Callable[[str], Path], size: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput, match="100 times"):
        transform(checkpoint("clip"))(Image.new("RGB", size))
