"""Encoders by name and by folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from encoders import ENCODERS, UnknownEncoder, load_encoder
from encoders.dual.encoder import DualEncoder
from encoders.fake import FakeEncoder


def test_a_name_loads_its_encoder() -> None:
    assert isinstance(load_encoder("fake"), FakeEncoder)


def test_a_folder_loads_what_its_config_says(checkpoint: Callable[[str], Path]) -> None:
    assert isinstance(load_encoder(str(checkpoint("clip"))), DualEncoder)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownEncoder) as error:
        load_encoder("siglip")
    assert all(name in str(error.value) for name in ("'siglip'", *ENCODERS))


@pytest.mark.parametrize("path", ["./no/such/folder", "/no/such", "a/b/c"])
def test_a_path_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(UnknownEncoder, match=path):
        load_encoder(path)
