"""The text transform alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from encoders.dual.model import read_config
from encoders.dual.texts import BATCH, TextTransform

Transform = Callable[[str], TextTransform]


@pytest.fixture
def transform(checkpoint: Callable[[str], Path]) -> Transform:
    return lambda kind: TextTransform(checkpoint(kind), read_config(checkpoint(kind)))


@pytest.mark.parametrize("kind", ["siglip", "siglip1", "naflex"])
def test_siglip_reads_64_lower_case_tokens_without_a_mask(transform: Transform, kind: str) -> None:
    ((_, inputs),) = transform(kind).batches(["a RED cat", "a red CAT", "dog " * 99])
    assert inputs.keys() == {"input_ids"}
    ids = inputs["input_ids"]
    assert ids.shape == (3, 64)
    assert ids[0].tolist() == ids[1].tolist()


def test_the_rest_is_padded_to_the_longest_of_its_batch(transform: Transform) -> None:
    texts = ["a photo of a red cat"] * 3 + ["cat"] * BATCH
    batches = list(transform("chinese_clip").batches(texts))
    assert [inputs["input_ids"].shape for _, inputs in batches] == [(BATCH, 3), (3, 8)]
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(texts)))
    assert all(inputs["attention_mask"].all() for _, inputs in batches)


@pytest.mark.parametrize(
    ("kind", "limit", "end"),
    [("clip", 20, 1), ("chinese_clip", 24, 3), ("altclip", 24, 2), ("metaclip2", 20, 2)],
)
def test_long_texts_are_cut_before_their_end_token(
    transform: Transform, kind: str, limit: int, end: int
) -> None:
    ((_, inputs),) = transform(kind).batches(["red " * 200])
    assert inputs["input_ids"].shape == (1, limit)
    assert inputs["input_ids"][0, -1] == end
