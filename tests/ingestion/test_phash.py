import io

import numpy as np
import pytest
from PIL import Image

from ingestion.phash import perceptual_hash
from tests import media

NEAR = 8  # bits


def distance(one: str, other: str) -> int:
    """Bits that differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def variants(image: Image.Image) -> dict[str, Image.Image]:
    paler = (np.asarray(image, np.float32) * 0.8 + 40).astype(np.uint8)
    jpeg = media.encoded(image, quality=30)
    return {
        "smaller": image.resize((200, 150)),
        "squeezed": image.resize((300, 300)),
        "paler": Image.fromarray(paler),
        "grey": image.convert("L"),
        "jpeg": Image.open(io.BytesIO(jpeg)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_changes_that_the_eye_forgives_change_few_bits(seed: int) -> None:
    image = media.picture(seed, (640, 480))
    expected = perceptual_hash(image)
    assert len(expected) == 16
    found = {
        name: distance(perceptual_hash(one), expected) for name, one in variants(image).items()
    }
    assert max(found.values()) <= NEAR, found


def test_other_pictures_differ_in_many_bits() -> None:
    hashes = [perceptual_hash(media.picture(seed, (320, 240))) for seed in range(40)]
    apart = [distance(a, b) for at, a in enumerate(hashes) for b in hashes[:at]]
    assert min(apart) > NEAR
    assert np.mean(apart) == pytest.approx(32, abs=2)


def test_a_plain_picture_has_none() -> None:
    assert perceptual_hash(media.plain("red")) == ""
