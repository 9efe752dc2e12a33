from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoders import InvalidInput
from encoders.offline.pixels import SIDE, to_square

WHITE = (255, 255, 255)


def test_pads_to_a_square_on_white() -> None:
    square = to_square(Image.new("RGB", (200, 100), "red"))
    assert square.shape == (SIDE, SIDE, 3)
    assert square.dtype == np.uint8
    assert tuple(square[0, 0]) == tuple(square[-1, -1]) == WHITE
    assert tuple(square[SIDE // 2, 0]) == tuple(square[SIDE // 2, -1]) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1), (260, 260)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    assert to_square(Image.new("RGB", size)).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
)
def test_every_mode(mode: str) -> None:
    assert to_square(Image.new(mode, (30, 20))).shape == (SIDE, SIDE, 3)


def test_transparency_shows_white() -> None:
    assert (to_square(Image.new("RGBA", (30, 30), (255, 0, 0, 0))) == 255).all()


def test_sixteen_bits_keep_their_brightness() -> None:
    grey = Image.fromarray(np.full((10, 10), 0x8000, dtype=np.uint16))
    assert (to_square(grey) == 0x80).all()


def test_arrays_and_pictures_agree() -> None:
    array = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_square(array), to_square(Image.fromarray(array)))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_other_arrays_are_refused(array: NDArray[Any]) -> None:
    with pytest.raises(InvalidInput):
        to_square(array)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no pixels"):
        to_square(Image.new("RGB", (0, 5)))
