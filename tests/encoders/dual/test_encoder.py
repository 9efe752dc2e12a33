"""The whole encoder against transformers called directly, per architecture."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from encoders import InvalidInput, InvalidOption, LoadOptions
from encoders.dual.encoder import DualEncoder
from encoders.workers import WorkerEncoder
from tests.encoders.checkpoints import BUILDERS, edit_json, edit_weights

TEXTS = ("a photo of a red cat", "dog", "海 a blue dog of 犬", "green " * 90, "a cat")
TEXT_LIMITS = {
    "siglip": 64,
    "siglip1": 64,
    "naflex": 64,
    "clip": 20,
    "chinese_clip": 24,
    "altclip": 24,
    "metaclip2": 20,
}
Load = Callable[..., DualEncoder]


@pytest.fixture(scope="module")
def load(checkpoint: Callable[[str], Path]) -> Load:
    """`load(kind, **options)` on the CPU; equal calls share one encoder."""
    loaded: dict[object, DualEncoder] = {}

    def load(kind: str, **options: Any) -> DualEncoder:  # noqa: ANN401
        key = (kind, tuple(sorted(options.items())))
        if key not in loaded:
            settings = LoadOptions(**{"device": "cpu", **options})
            loaded[key] = DualEncoder.load(str(checkpoint(kind)), settings)
        return loaded[key]

    return load


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """Noise of five shapes and three modes."""
    rng = np.random.default_rng(0)
    shapes = [(40, 60), (64, 33), (32, 32), (20, 97), (150, 110)]
    arrays = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    modes = ("RGB", "RGB", "L", "RGBA", "RGB")
    return [Image.fromarray(a).convert(mode) for a, mode in zip(arrays, modes, strict=True)]


def reference_texts(folder: Path, kind: str) -> NDArray[np.float32]:
    model = transformers.AutoModel.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    siglip = kind in {"siglip", "siglip1", "naflex"}
    inputs = tokenizer(
        [text.lower() if siglip else text for text in TEXTS],
        padding="max_length" if siglip else "longest",
        max_length=TEXT_LIMITS[kind],
        truncation=True,
        return_tensors="pt",
    )
    if siglip:  # trained without a mask
        inputs.pop("attention_mask", None)
    with torch.no_grad():
        return normalised(model.get_text_features(**inputs).pooler_output)


def reference_images(folder: Path, images: list[Image.Image]) -> NDArray[np.float32]:
    model = transformers.AutoModel.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    inputs = processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
    with torch.no_grad():
        return normalised(model.get_image_features(**inputs).pooler_output)


def normalised(rows: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(torch.nn.functional.normalize(rows, dim=1).numpy(), dtype=np.float32)


@pytest.mark.parametrize("kind", BUILDERS)
def test_texts_equal_transformers(load: Load, checkpoint: Callable[[str], Path], kind: str) -> None:
    ours = load(kind).encode_texts(TEXTS)["default"]
    np.testing.assert_allclose(ours, reference_texts(checkpoint(kind), kind), atol=1e-6)


@pytest.mark.parametrize("kind", BUILDERS)
def test_images_equal_transformers(
    load: Load, checkpoint: Callable[[str], Path], images: list[Image.Image], kind: str
) -> None:
    ours = load(kind).encode_images(images)["default"]
    np.testing.assert_allclose(ours, reference_images(checkpoint(kind), images), atol=1e-6)


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("tower", ["text", "image"])
def test_one_tower_alone_gives_the_same(
    load: Load, images: list[Image.Image], kind: str, tower: str
) -> None:
    whole, part = load(kind), load(kind, towers=frozenset({tower}))
    assert part.info.modalities == {tower}
    assert part.info.vectors == whole.info.vectors
    assert part.info.fingerprint == whole.info.fingerprint  # all files are here
    if tower == "text":
        np.testing.assert_allclose(
            part.encode_texts(TEXTS)["default"], whole.encode_texts(TEXTS)["default"], atol=1e-6
        )
        with pytest.raises(InvalidInput, match="without its image tower"):
            part.encode_images(images)
    else:
        np.testing.assert_allclose(
            part.encode_images(images)["default"],
            whole.encode_images(images)["default"],
            atol=1e-6,
        )
        with pytest.raises(InvalidInput, match="without its text tower"):
            part.encode_texts(TEXTS)


@pytest.mark.parametrize("kind", ["siglip", "naflex", "clip"])
def test_neither_the_batch_nor_its_order_matters(
    load: Load, images: list[Image.Image], kind: str
) -> None:
    encoder = load(kind)
    texts = encoder.encode_texts(TEXTS)["default"]
    rows = encoder.encode_images(images)["default"]
    for i in (3, 0, 4):
        alone = encoder.encode_texts([TEXTS[i]])["default"][0]
        np.testing.assert_allclose(alone, texts[i], atol=1e-6)
        alone = encoder.encode_images([images[i]])["default"][0]
        np.testing.assert_allclose(alone, rows[i], atol=1e-6)
    assert np.abs(texts[:, None] - texts[None])[~np.eye(5, dtype=bool)].max(axis=1).min() > 1e-4


def test_more_than_one_batch_comes_back_in_input_order(load: Load) -> None:
    encoder = load("clip")
    texts = [" ".join(["cat"] * (1 + i % 5) + ["dog"] * (i % 3)) for i in range(300)]
    rows = encoder.encode_texts(texts)["default"]
    known = {text: encoder.encode_texts([text])["default"][0] for text in set(texts)}
    np.testing.assert_allclose(rows, np.stack([known[text] for text in texts]), atol=1e-6)
    pixels = [encoder.preprocess(Image.new("RGB", (32, 32), (i, 0, 0))) for i in range(130)]
    images = encoder.encode_pixels(pixels)["default"]
    np.testing.assert_allclose(
        images[[0, 129]], encoder.encode_pixels([pixels[0], pixels[129]])["default"], atol=1e-6
    )


def test_several_devices_share_a_batch(
    load: Load, checkpoint: Callable[[str], Path], images: list[Image.Image]
) -> None:
    one = load("naflex")
    options = LoadOptions(device="cpu,cpu")
    with closing(WorkerEncoder(str(checkpoint("naflex")), options)) as two:
        for count in (1, 2, 5):
            ours, theirs = two.encode_images(images[:count]), one.encode_images(images[:count])
            np.testing.assert_allclose(ours["default"], theirs["default"], atol=1e-6)
            ours, theirs = two.encode_texts(TEXTS[:count]), one.encode_texts(TEXTS[:count])
            np.testing.assert_allclose(ours["default"], theirs["default"], atol=1e-6)


def test_raw_rows_keep_their_length(load: Load, images: list[Image.Image]) -> None:
    encoder = load("clip")
    raw = encoder.encode_images(images, normalize=False)["default"]
    norms = np.linalg.norm(raw, axis=1, keepdims=True)
    assert np.abs(norms - 1).min() > 1e-3
    np.testing.assert_allclose(raw / norms, encoder.encode_images(images)["default"], atol=1e-6)


def test_half_precision_gives_float32_rows_close_by(load: Load, images: list[Image.Image]) -> None:
    exact, half = load("siglip"), load("siglip", dtype="bfloat16")
    rows = half.encode_images(images)["default"]
    assert rows.dtype == np.float32
    assert (rows * exact.encode_images(images)["default"]).sum(axis=1).min() > 0.98
    assert half.info.fingerprint == exact.info.fingerprint


def test_threads_may_share_an_encoder(load: Load, images: list[Image.Image]) -> None:
    encoder = load("clip")
    pixels = [encoder.preprocess(image) for image in images]
    rows = encoder.encode_texts(TEXTS)["default"]
    with ThreadPoolExecutor(8) as pool:
        for found, expected in zip(
            pool.map(encoder.preprocess, images * 8), pixels * 8, strict=True
        ):
            np.testing.assert_array_equal(found, expected)
        for vectors in pool.map(lambda i: encoder.encode_texts(TEXTS[: 1 + i % 5]), range(40)):
            found = vectors["default"]
            np.testing.assert_allclose(found, rows[: len(found)], atol=1e-6)


def test_nothing_in_gives_no_rows(load: Load) -> None:
    assert load("clip").encode_texts([])["default"].shape == (0, 8)
    assert load("clip").encode_images([])["default"].shape == (0, 8)


def test_an_empty_text_is_refused(load: Load) -> None:
    with pytest.raises(InvalidInput, match="text 1 is empty"):
        load("clip").encode_texts(["cat", "  "])


def test_a_changed_tower_changes_its_fingerprint_alone(load: Load, clip_copy: Path) -> None:
    edit_weights(clip_copy, lambda tensors: tensors["text_projection.weight"].mul_(2))
    before, after = (
        load("clip").info.fingerprint,
        DualEncoder.load(str(clip_copy), LoadOptions(device="cpu")).info.fingerprint,
    )
    assert {part for part in before if before[part] != after[part]} == {"text"}


def test_a_changed_image_size_changes_the_image_fingerprint(load: Load, clip_copy: Path) -> None:
    edit_json(
        clip_copy / "preprocessor_config.json",
        do_center_crop=False,
        size={"height": 32, "width": 32},
    )
    before, after = (
        load("clip").info.fingerprint,
        DualEncoder.load(str(clip_copy), LoadOptions(device="cpu")).info.fingerprint,
    )
    assert {part for part in before if before[part] != after[part]} == {"image"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"vectors": {"c"}}, "default"),
        ({"towers": frozenset({"audio"})}, "image, text"),
        ({"towers": frozenset()}, "tower"),
        ({"device": "cuda:77"}, "cuda:77"),
        ({"dtype": "int4"}, "float32"),
    ],
)
def test_options_that_do_not_exist_are_refused(
    checkpoint: Callable[[str], Path], options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidOption, match=named):
        DualEncoder.load(str(checkpoint("clip")), LoadOptions(**options))
