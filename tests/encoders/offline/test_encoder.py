import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoders import CheckpointError, Encoder, LoadOptions, TowerNotLoaded, load_encoder, unit
from encoders.offline.encoder import OfflineEncoder
from tests.encoders.offline.conftest import GALLERY

FOUND = {
    "a cat": "chelsea.png",
    "gato": "chelsea.png",
    "кошка": "chelsea.png",
    "قطة": "chelsea.png",
    "猫": "chelsea.png",
    "बिल्ली": "chelsea.png",
    "a rocket": "rocket.jpg",
    "ракета": "rocket.jpg",
    "ロケット": "rocket.jpg",
    "eine Tasse Kaffee": "coffee.png",
    "一杯咖啡": "coffee.png",
    "una taza de café": "coffee.png",
    "Motorrad": "motorcycle_left.png",
    "una motocicleta roja": "motorcycle_left.png",
    "오토바이": "motorcycle_left.png",
    "un temple": "china.jpg",
    "Schloss": "china.jpg",
    "三脚": "camera.png",
    "bir miğfer": "astronaut.png",
    "um cavalo": "horse.png",
}
ABSENT = ["a submarine", "eine Geige", "飞机", "un éléphant", "банан", "バイオリン", "مظلة"]


@pytest.mark.parametrize(("query", "photo"), FOUND.items())
def test_finds_things_in_many_languages(
    encoder: OfflineEncoder, rows: NDArray[np.float32], query: str, photo: str
) -> None:
    scores = rows @ encoder.encode_texts([query])["default"][0]
    best = [GALLERY[at] for at in np.argsort(-scores)[:3]]
    assert photo in best
    assert encoder.info.match_threshold is not None
    assert scores.max() >= encoder.info.match_threshold


@pytest.mark.parametrize("query", ABSENT)
def test_says_when_nothing_matches(
    encoder: OfflineEncoder, rows: NDArray[np.float32], query: str
) -> None:
    assert encoder.info.match_threshold is not None
    scores = rows @ encoder.encode_texts([query])["default"][0]
    assert scores.max() < encoder.info.match_threshold


def test_fits_the_protocol_and_describes_itself() -> None:
    encoder: Encoder = load_encoder("offline")
    assert encoder.info.name == "offline"
    assert encoder.info.vectors == {"default": 384}
    assert encoder.info.modalities == {"text", "image"}
    assert encoder.info.fingerprint.keys() == {"vectors", "text", "image"}


def test_rows_are_unit_float32(encoder: OfflineEncoder, rows: NDArray[np.float32]) -> None:
    texts = encoder.encode_texts(["a cat", "猫", "a long story " * 20])["default"]
    for vectors in (rows, texts):
        assert vectors.dtype == np.float32
        assert vectors.shape[1] == 384
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_one_at_a_time_equals_a_batch(
    encoder: OfflineEncoder, photos: dict[str, Image.Image], rows: NDArray[np.float32]
) -> None:
    some = list(photos.values())[:5]
    single = np.concatenate([encoder.encode_images([photo])["default"] for photo in some])
    np.testing.assert_allclose(single, rows[:5], atol=1e-4)
    texts = [f"{number} cats" for number in range(40)]
    one = np.concatenate([encoder.encode_texts([text])["default"] for text in texts])
    np.testing.assert_allclose(one, encoder.encode_texts(texts)["default"], atol=1e-5)


def test_two_encoders_agree_exactly(encoder: OfflineEncoder, rows: NDArray[np.float32]) -> None:
    other = OfflineEncoder(LoadOptions())
    texts = ["a red bicycle", "自行车"]
    first, second = encoder.encode_texts(texts), other.encode_texts(texts)
    np.testing.assert_array_equal(first["default"], second["default"])
    assert encoder.info == other.info
    assert rows.shape == (len(GALLERY), 384)


def test_unnormalised_rows_point_the_same_way_and_pool(
    encoder: OfflineEncoder, photos: dict[str, Image.Image], rows: NDArray[np.float32]
) -> None:
    cat, page = photos["chelsea.png"], photos["page.png"]
    raw = encoder.encode_images([cat, cat, page], normalize=False)["default"]
    np.testing.assert_allclose(unit(raw[:1])[0], rows[GALLERY.index("chelsea.png")], atol=1e-4)
    assert not np.allclose(np.linalg.norm(raw, axis=1), 1, atol=1e-3)
    pooled = unit(raw.mean(axis=0, keepdims=True))
    texts = encoder.encode_texts(["a cat", "a motorcycle"])["default"]
    seen, unseen = texts @ pooled[0]
    assert seen > 0.5 > unseen


def test_nothing_in_gives_nothing_out(encoder: OfflineEncoder) -> None:
    assert encoder.encode_texts([])["default"].shape == (0, 384)
    assert encoder.encode_images([])["default"].shape == (0, 384)


def test_a_tower_left_out_is_refused(encoder: OfflineEncoder) -> None:
    texts_only = OfflineEncoder(LoadOptions(towers=frozenset({"text"})))
    assert texts_only.info.modalities == {"text"}
    assert texts_only.info.fingerprint == encoder.info.fingerprint
    with pytest.raises(TowerNotLoaded, match="image tower"):
        texts_only.encode_images([Image.new("RGB", (8, 8))])
    images_only = OfflineEncoder(LoadOptions(towers=frozenset({"image"})))
    with pytest.raises(TowerNotLoaded, match="text tower"):
        images_only.encode_texts(["a cat"])


def test_other_vectors_are_refused() -> None:
    with pytest.raises(CheckpointError, match="'default'"):
        OfflineEncoder(LoadOptions(vectors=["c"]))


def test_other_number_types_are_refused() -> None:
    with pytest.raises(CheckpointError, match="int8"):
        OfflineEncoder(LoadOptions(dtype="int8"))


def test_bfloat16_is_close(rows: NDArray[np.float32], photos: dict[str, Image.Image]) -> None:
    half = OfflineEncoder(LoadOptions(dtype="bfloat16"))
    cat = half.encode_images([photos["chelsea.png"]])["default"][0]
    assert cat @ rows[GALLERY.index("chelsea.png")] > 0.95


def test_text_imports_neither_torch_nor_transformers() -> None:
    script = (
        "import sys\n"
        "from encoders import LoadOptions, load_encoder\n"
        "encoder = load_encoder('offline')\n"
        "encoder.encode_texts(['a cat'])\n"
        "heavy = {'torch', 'transformers', 'efficientnet_lite_pytorch'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
