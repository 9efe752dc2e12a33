"""The helpers that every encoder shares."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoders.base import as_rgb, require_texts, unit
from encoders.errors import InvalidInput


def test_unit_scales_rows_and_keeps_zero_rows() -> None:
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "RGB"])
def test_any_pillow_mode_becomes_rgb(mode: str) -> None:
    assert as_rgb(Image.new(mode, (3, 2))).mode == "RGB"


def test_an_rgb_array_keeps_its_values() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(np.asarray(as_rgb(array)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic]) -> None:
    with pytest.raises(InvalidInput, match="uint8"):
        as_rgb(array)  # type: ignore[arg-type]


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no pixels"):
        as_rgb(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_truncated_file_is_refused(mode: str) -> None:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 80).convert(mode).save(file, "PNG")
    with pytest.raises(InvalidInput, match="decoded"):
        as_rgb(Image.open(io.BytesIO(file.getvalue()[:500])))


@pytest.mark.parametrize("bad", ["", " \n\t", "a \ud800 b"])
def test_bad_texts_are_refused_by_position(bad: str) -> None:
    with pytest.raises(InvalidInput, match="text 1"):
        require_texts(["fine", bad])
