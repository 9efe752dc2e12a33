"""Chat over a collection of real photos: what the tiny model's tower is really given."""

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import openai
import pytest
import torch
from numpy.typing import NDArray
from openai.types.chat import ChatCompletion
from PIL import Image
from torch import Tensor

from encoders.heads.chat.model import ChatModel
from encoders.heads.chat.tiles import tiles
from encoders.internvl.transforms import normalise
from tests.api.conftest import fill
from tests.api.server import Served, serving
from tests.encoders.heads.chats import bytes_checkpoint

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
SIDE = 56
"""Pixels of the tiny model's tile."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that scikit-image ships."""
    folder = tmp_path_factory.mktemp("photos")
    for name in PHOTOS:
        shutil.copy(str(files("skimage.data") / name), folder / name)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Served]:
    """Found by the built-in encoder, which knows what they show."""
    chat = bytes_checkpoint(tmp_path_factory.mktemp("local") / "tiny")
    data = tmp_path_factory.mktemp("data")
    with serving(data, collection="real", encoder="offline", chat=str(chat)) as served:
        fill(served.installation, "real", folder)
        yield served


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Whatever comes to the tower from now on, `[tiles, 3, side, side]` of each request."""
    seen: list[Tensor] = []
    see = ChatModel.see

    def noted(model: ChatModel, pixels: Tensor) -> Tensor:
        seen.append(pixels.cpu())
        return see(model, pixels)

    monkeypatch.setattr(ChatModel, "see", noted)
    return seen


def ask(served: Served, question: str, hits: int) -> ChatCompletion:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        return client.chat.completions.create(
            model="tiny",
            messages=[{"role": "user", "content": question}],
            max_tokens=2,
            extra_body={"collection": "real", "hits": hits},
        )


def cited(answer: ChatCompletion) -> list[str]:
    citations = answer.model_extra["citations"]  # type: ignore[index]
    assert [citation["number"] for citation in citations] == list(range(1, len(citations) + 1))
    return [citation["asset"].rpartition("/")[2] for citation in citations]


def tiles_of(path: Path, most: int) -> Tensor:
    """What the model should see of a photo, by the file alone."""
    with Image.open(path) as image:
        found = tiles(image, SIDE, most, thumbnail=True)
    return normalise(torch.from_numpy(np.stack([np.asarray(tile) for tile in found])))


def off(found: Tensor, expected: Tensor) -> float:
    """Mean difference, in standard deviations; photos come as JPEGs, which costs a little."""
    distance: NDArray[np.float32] = (found - expected).abs().numpy()
    return float(distance.mean())


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("where is the cat?", "chelsea.png"),
        ("一杯咖啡", "coffee.png"),
        ("¿de qué color es la motocicleta?", "motorcycle_left.png"),
    ],
)
def test_the_photo_found_is_the_one_the_model_sees(
    served: Served, folder: Path, given: list[Tensor], question: str, best: str
) -> None:
    assert cited(ask(served, question, hits=1)) == [best]
    (pixels,) = given
    expected = tiles_of(folder / best, most=12)
    assert len(expected) > 1  # tiles and a thumbnail: one picture is shown in detail
    assert pixels.shape == expected.shape
    assert off(pixels, expected) < 0.1
    others = (tiles_of(folder / name, most=1)[0] for name in PHOTOS if name != best)
    assert min(off(pixels[-1], other) for other in others) > 0.4


def test_several_are_seen_in_the_order_of_their_numbers(
    served: Served, folder: Path, given: list[Tensor]
) -> None:
    names = cited(ask(served, "a cup of coffee", hits=4))
    assert names[0] == "coffee.png"
    assert len(set(names)) == 4
    (pixels,) = given
    assert len(pixels) == 4  # one tile each
    for found, name in zip(pixels, names, strict=True):
        nearest = min(PHOTOS, key=lambda other: off(found, tiles_of(folder / other, most=1)[0]))
        assert nearest == name
        assert off(found, tiles_of(folder / name, most=1)[0]) < 0.1
