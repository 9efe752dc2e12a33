"""The encoder protocol over the tiny checkpoint."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from encoders import (
    CheckpointError,
    Encoder,
    EncoderMismatch,
    InvalidInput,
    InvalidOption,
    LoadOptions,
    ModelUnavailable,
    Use,
    load_encoder,
    require_same,
    unit,
)
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.pairs import Captioning
from encoders.internvl.tokenizer import Tokenizer
from encoders.internvl.vision import resize_positions
from encoders.workers import WorkerEncoder
from tests.encoders.internvl.tiny import FEATURES, LOGITS, TINY, Arrays, Load, load_facts

TEXTS = load_facts("03_texts_tiny.json")["texts"]


def test_a_folder_gives_both_vectors() -> None:
    encoder: Encoder = load_encoder(str(TINY))
    assert isinstance(encoder, InternVLEncoder)
    assert encoder.info.name == str(TINY)  # what loads it again
    assert encoder.info.vectors == {"c": 32, "g": 32}
    assert encoder.info.modalities == {"text", "image"}


@pytest.mark.parametrize("name", ["c", "g"])
def test_images_equal_the_reference(
    encoder: InternVLEncoder,
    images: list[Image.Image],
    numbers: Callable[[str], Arrays],
    name: str,
) -> None:
    pixels = [encoder.preprocess(image, "frame") for image in images]
    raw = encoder.encode_pixels(pixels, normalize=False)[name]
    expected = numbers("03")[f"image_{name}"]
    np.testing.assert_allclose(raw, expected, atol=FEATURES)
    np.testing.assert_allclose(encoder.encode_pixels(pixels)[name], unit(expected), atol=FEATURES)


def test_one_text_vector_serves_both(
    encoder: InternVLEncoder, numbers: Callable[[str], Arrays]
) -> None:
    rows = encoder.encode_texts(TEXTS)
    assert rows.keys() == {"c", "g"}
    for row in rows.values():
        np.testing.assert_allclose(row, unit(numbers("03")["text"]), atol=FEATURES)


def test_images_are_squashed_and_encoded_in_order(
    encoder: InternVLEncoder, images: list[Image.Image]
) -> None:
    many = [images[index % 3].rotate(index) for index in range(20)]
    together = encoder.encode_images(many)
    for index in (0, 7, 19):
        pixels = encoder.preprocess(many[index])
        assert (pixels.shape, pixels.dtype) == ((224, 224, 3), np.dtype("uint8"))
        alone = encoder.encode_pixels([pixels])
        for name, row in alone.items():
            np.testing.assert_allclose(together[name][index], row[0], atol=FEATURES)


def test_arrays_and_pictures_are_the_same(
    encoder: InternVLEncoder, images: list[Image.Image]
) -> None:
    picture = images[0].convert("RGB")
    np.testing.assert_array_equal(
        encoder.preprocess(np.asarray(picture)), encoder.preprocess(picture)
    )


def test_texts_come_back_in_their_order_and_repeat(load: Load) -> None:
    encoder = load()
    texts = [f"{'word ' * (index * 7 % 30)}{index}" for index in range(300)]
    first = encoder.encode_texts(texts)["c"]
    again = encoder.encode_texts([*texts[::-1], "new", texts[5], texts[5]])["c"]
    np.testing.assert_allclose(again[:300], first[::-1], atol=FEATURES)
    np.testing.assert_allclose(again[-2:], first[[5, 5]], atol=FEATURES)
    np.testing.assert_array_equal(again[-2], again[-1])  # computed once
    for index in (0, 150, 299):
        alone = load().encode_texts([texts[index]])["c"][0]
        np.testing.assert_allclose(first[index], alone, atol=FEATURES)


def test_nothing_gives_no_rows(encoder: InternVLEncoder) -> None:
    for rows in (encoder.encode_texts([]), encoder.encode_images([]), encoder.encode_pixels([])):
        assert {name: row.shape for name, row in rows.items()} == {"c": (0, 32), "g": (0, 32)}
    assert encoder.match([], []).shape == (0,)
    assert encoder.caption([]) == []


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(encoder: InternVLEncoder, text: str) -> None:
    with pytest.raises(InvalidInput, match="text 1 is empty"):
        encoder.encode_texts(["a cat", text])


@pytest.mark.parametrize("tower", ["text", "image"])
def test_a_tower_alone_gives_the_same(
    load: Load, encoder: InternVLEncoder, images: list[Image.Image], tower: str
) -> None:
    alone = load(towers={tower})
    assert alone.info.modalities == {tower}
    require_same(encoder.info.fingerprint, alone.info.fingerprint, "the collection")
    assert alone.info.fingerprint == encoder.info.fingerprint  # all files are here
    if tower == "text":
        ours, whole = alone.encode_texts(TEXTS), encoder.encode_texts(TEXTS)
    else:
        ours, whole = alone.encode_images(images), encoder.encode_images(images)
    for name, rows in ours.items():
        np.testing.assert_allclose(rows, whole[name], atol=1e-6)


def test_a_tower_that_was_not_loaded_is_named(load: Load, images: list[Image.Image]) -> None:
    with pytest.raises(InvalidInput, match="without its text tower: set `towers`"):
        load(towers={"image"}).encode_texts(["a cat"])
    texts = load(towers={"text"})
    with pytest.raises(InvalidInput, match="without its image tower: set `towers`"):
        texts.encode_images(images)
    with pytest.raises(InvalidInput, match="cannot match or caption"):
        texts.caption(images)
    with pytest.raises(InvalidInput, match="cannot match or caption"):
        load(vectors=["c"]).match(images[:1], ["a cat"])


@pytest.mark.parametrize("name", ["c", "g"])
def test_one_vector_alone_is_the_same(
    load: Load, encoder: InternVLEncoder, images: list[Image.Image], name: str
) -> None:
    alone = load(vectors=[name])
    assert alone.info.vectors == {name: 32}
    ours = alone.encode_images(images)
    assert ours.keys() == alone.encode_texts(TEXTS).keys() == {name}
    np.testing.assert_allclose(ours[name], encoder.encode_images(images)[name], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vectors": ["default"]}, "has the vectors c, g, not 'default'"),
        ({"vectors": []}, "not nothing"),
        ({"towers": {"audio"}}, "has the towers text, image, not 'audio'"),
        ({"dtype": "int8"}, "no dtype is called 'int8'"),
        ({"device": "cuda:7"}, "no device 'cuda:7'"),
    ],
)
def test_what_is_not_there_is_refused(
    load: Load,
    options: Any,  # noqa: ANN401 (wrong types are the point)
    message: str,
) -> None:
    with pytest.raises(InvalidOption, match=message):
        load(**options)


def test_one_model_over_two_devices_gives_the_same(
    load: Load, encoder: InternVLEncoder, images: list[Image.Image]
) -> None:
    assert_same(load(device="cpu+cpu"), encoder, images)


def test_two_processes_give_the_same(encoder: InternVLEncoder, images: list[Image.Image]) -> None:
    two = WorkerEncoder(str(TINY), LoadOptions(device="cpu+cpu,cpu"))
    with closing(two):
        assert_same(two, encoder, images)
        assert two.info.fingerprint == encoder.info.fingerprint
        pairs = images * 7, [f"text {index}" for index in range(21)]
        np.testing.assert_allclose(two.match(*pairs), encoder.match(*pairs), atol=LOGITS)
        few = Captioning(beams=1, max_new_tokens=8)
        assert two.caption(images, few) == encoder.caption(images, few)
        assert two.caption([]) == []


def assert_same(
    two: InternVLEncoder | WorkerEncoder, one: InternVLEncoder, images: list[Image.Image]
) -> None:
    many = images * 9
    for name, rows in two.encode_images(many).items():
        np.testing.assert_allclose(rows, one.encode_images(many)[name], atol=FEATURES)
    texts = [f"text {index}" for index in range(600)]
    np.testing.assert_allclose(
        two.encode_texts(texts)["c"], one.encode_texts(texts)["c"], atol=FEATURES
    )
    for use in get_args(Use):
        np.testing.assert_array_equal(
            two.preprocess(images[1], use), one.preprocess(images[1], use)
        )


def test_half_precision_points_the_same_way(
    load: Load, encoder: InternVLEncoder, images: list[Image.Image]
) -> None:
    half = load(dtype="bfloat16")
    assert half.info.fingerprint == encoder.info.fingerprint
    for name, rows in half.encode_images(images).items():
        cosines = (rows * encoder.encode_images(images)[name]).sum(1)
        assert cosines.min() > 0.999
        assert rows.dtype == np.float32


def test_other_weights_are_another_encoder(
    load: Load, encoder: InternVLEncoder, copy: Path
) -> None:
    tensors = load_file(copy / "model.safetensors")
    tensors["text_projection"] = -tensors["text_projection"]
    save_file(tensors, copy / "model.safetensors")
    other = load(copy).info.fingerprint
    assert other["image"] == encoder.info.fingerprint["image"]
    with pytest.raises(EncoderMismatch, match="its text part differs"):
        require_same(encoder.info.fingerprint, other, "the collection")


def test_a_texts_tower_without_its_vocabulary_is_refused(load: Load, copy: Path) -> None:
    (copy / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match="is missing: texts need"):
        load(copy)
    assert load(copy, towers={"image"}).info.modalities == {"image"}


@pytest.mark.parametrize("name", ["internvl-c", "internvl-g", "internvit"])
def test_a_model_that_was_not_fetched_says_how(name: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"GB\) with: hf download OpenGVLab/Intern"):
        load_encoder(name)


@pytest.mark.parametrize(("name", "vectors"), [("internvl-c", {"c"}), ("internvl-g", {"c", "g"})])
def test_a_name_loads_what_the_hub_cache_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, vectors: set[str]
) -> None:
    repository = tmp_path / "models--OpenGVLab--InternVL-14B-224px"
    shutil.copytree(TINY, repository / "snapshots" / "0123abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc", "utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    info = load_encoder(name, LoadOptions(device="cpu")).info
    assert (info.name, set(info.vectors)) == (name, vectors)
    info = load_encoder("OpenGVLab/InternVL-14B-224px", LoadOptions(device="cpu")).info
    assert info.vectors.keys() == {"c", "g"}


def test_matching_equals_the_reference(
    encoder: InternVLEncoder, images: list[Image.Image], numbers: Callable[[str], Arrays]
) -> None:
    squares = [Image.fromarray(encoder.preprocess(image, "frame")) for image in images]
    pairs = [(image, text) for image in squares for text in TEXTS]
    scores = encoder.match([image for image, _ in pairs], [text for _, text in pairs])
    expected = numbers("05")["itm_match_prob"]
    np.testing.assert_allclose(scores.reshape(expected.shape), expected, atol=LOGITS)


def test_images_and_texts_must_make_pairs(
    encoder: InternVLEncoder, images: list[Image.Image]
) -> None:
    with pytest.raises(InvalidInput, match="3 images and 1 texts"):
        encoder.match(images, ["a cat"])


@pytest.mark.parametrize("beams", [1, 5])
def test_captions_equal_the_reference(
    encoder: InternVLEncoder,
    images: list[Image.Image],
    numbers: Callable[[str], Arrays],
    beams: int,
) -> None:
    squares = [Image.fromarray(encoder.preprocess(image, "frame")) for image in images]
    kind = "greedy_eval" if beams == 1 else "beam5_eval"
    tokenizer = Tokenizer(TINY / "tokenizer.model")
    expected = [
        tokenizer.decode(numbers("06_")[f"img{index}_{kind}_ids"][1:].tolist())
        for index in range(3)
    ]
    assert encoder.caption(squares, Captioning(beams=beams)) == expected


def test_a_video_is_the_mean_of_its_frames(
    encoder: InternVLEncoder, numbers: Callable[[str], Arrays]
) -> None:
    frames, expected = numbers("07_video_frames")["frames"], numbers("07_video")
    pixels = [encoder.preprocess(frame, "frame") for frame in frames]
    for name, rows in encoder.encode_pixels(pixels, normalize=False).items():
        np.testing.assert_allclose(rows, expected[f"frame_features_{name}"], atol=FEATURES)
        mean = rows.mean(0, keepdims=True)
        np.testing.assert_allclose(mean, expected[f"video_feature_{name}"], atol=FEATURES)


def test_the_fine_tuned_image_size_is_taken(
    load: Load, images: list[Image.Image], copy: Path
) -> None:
    config = json.loads((copy / "config.json").read_text("utf-8")) | {"force_image_size": 364}
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    tensors = load_file(copy / "model.safetensors")
    name = "vision_model.embeddings.position_embedding"
    tensors[name] = resize_positions(tensors[name], 364, 14)
    save_file(tensors, copy / "model.safetensors")
    encoder = load(copy)
    assert encoder.preprocess(images[0]).shape == (364, 364, 3)
    assert encoder.encode_images(images)["g"].shape == (3, 32)
