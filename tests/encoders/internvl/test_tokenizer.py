"""Token ids against the reference's, with the public vocabulary where it is at hand."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders import CheckpointError
from encoders.internvl.tokenizer import CAPTION_PROMPT, EOS, PAD, Tokenizer, pad
from tests.encoders.internvl.tiny import TINY, Arrays, load_facts

PUBLIC = os.environ.get("POLYLENS_TEST_INTERNVL_TOKENIZER", "")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(TINY / "tokenizer.model")


@pytest.fixture(scope="module")
def public() -> Tokenizer:
    if not PUBLIC:
        pytest.skip("POLYLENS_TEST_INTERNVL_TOKENIZER names no public tokenizer.model")
    return Tokenizer(Path(PUBLIC))


def padded(rows: list[list[int]], width: int = 80) -> NDArray[np.int64]:
    return np.array([row + [PAD] * (width - len(row)) for row in rows])


def test_ids_equal_the_reference(tokenizer: Tokenizer, numbers: Callable[[str], Arrays]) -> None:
    texts = load_facts("03_texts_tiny.json")["texts"]
    ids = padded([tokenizer.encode(text) for text in texts])
    np.testing.assert_array_equal(ids, numbers("03")["input_ids"])
    captions = padded([tokenizer.encode(text, prefix="") for text in texts])
    np.testing.assert_array_equal(captions, numbers("05")["caption_input_ids"])
    prompt = tokenizer.encode(CAPTION_PROMPT, prefix="", eos=False)
    np.testing.assert_array_equal([prompt], numbers("06_")["prompt_ids"])


def test_public_ids_equal_the_reference(
    public: Tokenizer, numbers: Callable[[str], Arrays]
) -> None:
    facts, expected = load_facts("01_tokenizer_real.json"), numbers("01")
    assert hashlib.sha256(public.data).hexdigest() == facts["tokenizer_sha256"]
    texts = facts["texts"]
    rows = [public.encode(text) for text in texts]
    np.testing.assert_array_equal(padded(rows), expected["ids_summarize"])
    np.testing.assert_array_equal([len(row) for row in rows], expected["lengths"])
    plain = padded([public.encode(text, prefix="") for text in texts])
    np.testing.assert_array_equal(plain, expected["ids_noprefix"])
    np.testing.assert_array_equal(pad(rows[:6])[0], expected["ids_dynamic_first6"])
    prompts = [public.encode(p, prefix="", eos=False) for p in (CAPTION_PROMPT, "summarize:")]
    np.testing.assert_array_equal(padded(prompts, 5), expected["prompt_ids_no_eos"])


def test_a_long_text_keeps_its_end(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a red panda " * 100)
    assert len(ids) == 80
    assert ids[-1] == EOS


def test_padding_is_zero_and_lengths_are_counted() -> None:
    ids, lengths = pad([[1, 5, 2], [1, 2]])
    assert ids.tolist() == [[1, 5, 2], [1, 2, 0]]
    assert lengths.tolist() == [3, 2]


def test_decoding_stops_at_the_end(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a red panda", prefix="")
    assert tokenizer.decode([*ids, 500, 501]) == "a red panda"
    assert tokenizer.decode([PAD, *ids[:-1], PAD]) == "a red panda"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing: texts need"):
        Tokenizer(tmp_path / "tokenizer.model")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"<html>not found</html>")
    with pytest.raises(CheckpointError, match="not a sentencepiece model"):
        Tokenizer(tmp_path / "tokenizer.model")
