import pytest

from retrieval.evaluate.captions import clean
from tests.encoders.internvl.tiny import load_facts

FACTS = load_facts("08_retrieval.json")


@pytest.mark.parametrize(
    ("raw", "cleaned"), [*zip(FACTS["pre_caption_in"], FACTS["pre_caption_out"], strict=True)]
)
def test_cleaning_equals_the_reference(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


def test_the_fiftieth_word_is_the_last() -> None:
    assert clean(" ".join(map(str, range(60)))).split(" ")[-1] == "49"
