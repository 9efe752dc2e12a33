"""Pixels against the reference's three protocols."""

import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from encoders import InvalidInput
from encoders.internvl.transforms import Square, Transform, crop, normalise, processor_crop, squash
from tests.encoders.internvl.tiny import Arrays

PROTOCOLS = {
    "retrieval_pixel_values": squash,
    "classification_pixel_values": crop,
    "clip_pixel_values": processor_crop,
}


@pytest.mark.parametrize(("name", "transform"), PROTOCOLS.items())
def test_pixels_equal_the_reference(
    images: list[Image.Image],
    numbers: Callable[[str], Arrays],
    name: str,
    transform: Transform,
) -> None:
    squares = np.stack([np.asarray(transform(image.convert("RGB"), 224)) for image in images])
    ours = normalise(torch.from_numpy(squares))
    np.testing.assert_allclose(ours, numbers("02")[name], atol=1e-6)


@pytest.mark.parametrize("transform", PROTOCOLS.values())
@pytest.mark.parametrize("size", [(1, 1), (3, 300), (224, 224), (225, 224), (500, 5)])
def test_any_shape_becomes_a_square(transform: Transform, size: tuple[int, int]) -> None:
    assert transform(Image.new("RGB", size), 56).size == (56, 56)


@pytest.mark.parametrize("transform", [crop, processor_crop])
def test_a_sliver_whose_long_side_would_explode_is_refused(transform: Transform) -> None:
    with pytest.raises(InvalidInput, match="2 x 16384 pixels: one side is more than 100 times"):
        transform(Image.new("RGB", (2, 16384)), 224)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_odd_margin_is_rounded_or_floored(axis: int) -> None:
    """Of 45.5 pixels, classification leaves out 46 and the processor 45, whichever side is long."""
    shape = [150, 150, 3]
    shape[axis] = 211
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))
    rounded, floored = np.asarray(crop(noise, 224)), np.asarray(processor_crop(noise, 224))
    np.testing.assert_array_equal(np.delete(rounded, -1, axis), np.delete(floored, 0, axis))


def test_a_process_that_only_resizes_imports_no_torch() -> None:
    script = (
        "import pickle, sys, numpy\n"
        f"square = pickle.loads({pickle.dumps(Square(56))!r})\n"
        "assert square(numpy.zeros((90, 80, 3), numpy.uint8), 'frame').shape == (56, 56, 3)\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
