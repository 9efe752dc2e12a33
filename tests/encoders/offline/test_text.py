from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from encoders import InvalidInput
from encoders.offline.encoder import OfflineEncoder
from encoders.offline.text import prepare


@pytest.mark.parametrize("text", ["", "  \n", "\x00\x07", "\u3000"])
def test_empty_text_is_refused(encoder: OfflineEncoder, text: str) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        encoder.encode_texts(["a cat", text])


def test_lone_surrogates_are_refused(encoder: OfflineEncoder) -> None:
    with pytest.raises(InvalidInput, match="Unicode"):
        encoder.encode_texts(["cat \ud800"])


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("  A Cat\n", "a cat"),
        ("ｃａｔ", "cat"),
        ("a\x00cat", "a cat"),
        ("Ёж", "ёж"),
        ("ﬁsh", "fish"),
    ],
)
def test_prepare(text: str, prepared: str) -> None:
    assert prepare(text) == prepared


def test_case_does_not_matter(encoder: OfflineEncoder) -> None:
    lower, upper = encoder.encode_texts(["кошка", "КОШКА"])["default"]
    np.testing.assert_array_equal(lower, upper)


def test_only_the_start_of_a_very_long_text_counts(encoder: OfflineEncoder) -> None:
    start = "a cat " * 400
    cut, whole = encoder.encode_texts([start, start + "and a motorcycle " * 100_000])["default"]
    np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("text", ["\ufdfa" * 2000, "\U0001f431" * 500, "\u200b", "\u0301" * 3000])
def test_hostile_texts(encoder: OfflineEncoder, text: str) -> None:
    assert np.isfinite(encoder.encode_texts([text])["default"]).all()


def test_threads_get_the_answers_of_one(encoder: OfflineEncoder) -> None:
    texts = [f"a photo of {number} dogs" for number in range(24)]
    expected = encoder.encode_texts(texts)["default"]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: encoder.encode_texts([text])["default"][0], texts))
    np.testing.assert_allclose(np.stack(rows), expected, atol=1e-5)
