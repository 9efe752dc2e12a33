"""The real encoder and real photos, encoded once."""

from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoders import LoadOptions
from encoders.offline.encoder import OfflineEncoder

GALLERY = """
    astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png horse.png
    hubble_deep_field.jpg moon.png motorcycle_left.png page.png rocket.jpg china.jpg flower.jpg
""".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def encoder() -> OfflineEncoder:
    return OfflineEncoder(LoadOptions())


@pytest.fixture(scope="session")
def photos() -> dict[str, Image.Image]:
    """Photos that scikit-image and scikit-learn ship, by file name."""
    return {name: _open(name) for name in GALLERY}


@pytest.fixture(scope="session")
def rows(encoder: OfflineEncoder, photos: dict[str, Image.Image]) -> NDArray[np.float32]:
    """The photos' vectors, in the order of `GALLERY`."""
    return encoder.encode_images(list(photos.values()))["default"]


def _open(name: str) -> Image.Image:
    package = "sklearn.datasets.images" if name in ("china.jpg", "flower.jpg") else "skimage.data"
    with (files(package) / name).open("rb") as file:
        return Image.open(file).convert("RGB")
