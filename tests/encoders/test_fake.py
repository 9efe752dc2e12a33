"""The encoder of the plumbing tests."""

import numpy as np
import pytest
from PIL import Image

from encoders.base import Vectors
from encoders.errors import InvalidInput
from encoders.fake import COLOURS, FakeEncoder

encoder = FakeEncoder()


def best(texts: Vectors, images: Vectors) -> list[int]:
    return [int(i) for i in (texts["default"] @ images["default"].T).argmax(axis=1)]


def test_a_colour_finds_its_picture() -> None:
    pictures = [Image.new("RGB", (30, 20), colour) for colour in COLOURS]
    texts = [f"Something {colour.upper()} here" for colour in COLOURS]
    found = best(encoder.encode_texts(texts), encoder.encode_images(pictures))
    assert found == list(range(len(COLOURS)))


def test_vectors_are_unit_float32_of_the_stated_size() -> None:
    for vectors in (
        encoder.encode_texts(["red", "a word", "日本"]),
        encoder.encode_images([Image.new("L", (5, 9), 127)] * 3),
    ):
        rows = vectors["default"]
        assert rows.shape == (3, encoder.info.vectors["default"])
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)


def test_the_same_text_gives_the_same_vector_and_another_does_not() -> None:
    a, b = encoder.encode_texts(["harbour", "harbor"])["default"]
    np.testing.assert_array_equal(FakeEncoder().encode_texts(["harbour"])["default"][0], a)
    assert abs(float(a @ b)) < 0.9


def test_rows_before_normalising_are_what_pooling_needs() -> None:
    images = [Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "white")]
    raw = encoder.encode_images(images, normalize=False)["default"]
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.abs(norms - 1).min() > 0.1
    np.testing.assert_allclose(raw / norms, encoder.encode_images(images)["default"], rtol=1e-6)


def test_nothing_in_gives_no_rows() -> None:
    assert encoder.encode_texts([])["default"].shape == (0, 48)
    assert encoder.encode_images([])["default"].shape == (0, 48)


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(InvalidInput, match="text 0 is empty"):
        encoder.encode_texts([" "])
