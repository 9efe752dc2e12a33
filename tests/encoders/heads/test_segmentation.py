"""Segmentation heads against what mmsegmentation computed on tiny random weights."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from encoders import CheckpointError, InvalidInput, ModelUnavailable
from encoders.heads.segmentation import ADE20K, SegmentationOptions, Segmenter, load_segmenter
from encoders.heads.segmentation.classes import palette
from encoders.heads.segmentation.model import SegmentationModel
from encoders.heads.segmentation.slide import bands, prepare, slide, target_sizes, windows
from encoders.internvl.vision import resize_positions
from encoders.internvl.weights import shapes_of

DATA = Path(__file__).parents[2] / "data" / "segmentation"
SIDE, STRIDE = 112, 72
NUMBERS = {"block": 2, "heads": 4, "window": SIDE, "stride": STRIDE}
CPU = SegmentationOptions(device="cpu")
HEADS = ("linear", "upernet")

Arrays = Mapping[str, NDArray[np.float32]]


def weights(head: str) -> Path:
    """With its numbers in a file beside it."""
    return DATA / f"09_seg_{head}_tiny.safetensors"


def saved(path: Path, tensors: Mapping[str, torch.Tensor], **numbers: int | None) -> Path:
    """A checkpoint of its own, whose numbers are the tiny ones but for those given."""
    save_file(dict(tensors), path)
    stated = {**NUMBERS, **numbers}
    path.with_suffix(".json").write_text(json.dumps(stated))
    return path


def public_probe(path: Path) -> Path:
    """The tiny linear head on a tower of 48 blocks, like the public ones."""
    tensors = load_file(weights("linear"))
    block = {n: t for n, t in tensors.items() if n.startswith("backbone.blocks.0.")}
    for number in range(4, 48):
        tensors |= {n.replace(".0.", f".{number}.", 1): t.clone() for n, t in block.items()}
    return saved(path, tensors, block=None)


@pytest.fixture(scope="module")
def numbers() -> Arrays:
    return dict(np.load(DATA / "09_seg.npz"))


@pytest.fixture(scope="module", params=HEADS)
def head(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(head: str) -> SegmentationModel:
    return load_segmenter(weights(head), CPU)._model


def close(found: torch.Tensor, expected: NDArray[np.float32], within: float) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=within)


def test_tensor_names_and_shapes_are_mmsegmentations(head: str, model: SegmentationModel) -> None:
    facts = json.loads((DATA / "09_seg_state_dict_keys.json").read_text())[head]
    stored = {name: tuple(shape) for name, shape in facts.items()}
    heads = {n: s for n, s in stored.items() if n.startswith(("decode_head.", "backbone.up"))}
    ours = {n: s for n, s in shapes_of(model).items() if not n.startswith("vision_model.")}
    assert ours == {n.removeprefix("backbone."): s for n, s in heads.items()}
    in_tower = sum(n.startswith("backbone.") for n in stored) - sum("up" in n for n in stored)
    assert len(shapes_of(model)) - len(ours) == in_tower


def test_features_and_logits_are_the_references(
    head: str, model: SegmentationModel, numbers: Arrays
) -> None:
    pixels = torch.from_numpy(numbers["x"])
    with torch.inference_mode():
        features = model.features(pixels)
        logits = model.decode_head(features)
        whole = model(pixels[:1])
    assert len(features) == (1 if head == "linear" else 4)
    for number, found in enumerate(features):
        close(found, numbers[f"{head}_feat{number}"], 3e-5)
    close(logits, numbers[f"{head}_head_logits"], 3e-5)
    close(whole, numbers[f"{head}_encode_decode"], 3e-5)


def test_sliding_windows_are_the_references(
    head: str, model: SegmentationModel, numbers: Arrays
) -> None:
    with torch.inference_mode():
        logits = slide(model, torch.from_numpy(numbers["x_slide"]), SIDE, STRIDE)
    original = torch.cat([band for _, band in bands(logits, 93, 121)], 1)
    close(original[None], numbers[f"{head}_slide_logits_rescaled"], 3e-5)
    close(original[None].softmax(1), numbers[f"{head}_slide_probs"], 3e-5)
    np.testing.assert_array_equal(original.argmax(0).numpy(), numbers[f"{head}_slide_pred"])


def test_half_precision_of_the_tower_alone(head: str, numbers: Arrays) -> None:
    options = SegmentationOptions(**{**vars(CPU), "dtype": "bfloat16"})
    model = load_segmenter(weights(head), options)._model
    dtypes = {name.split(".")[0]: tensor.dtype for name, tensor in model.named_parameters()}
    assert dtypes.pop("decode_head") == torch.float32
    assert set(dtypes.values()) == {torch.bfloat16}
    with torch.inference_mode():
        logits = model.decode_head(model.features(torch.from_numpy(numbers["x"])))
    reference = numbers[f"{head}_bf16_backbone_head_logits"]
    shipped = np.abs(numbers[f"{head}_head_logits"] - reference).max()
    assert np.abs(logits.numpy() - reference).max() < 2 * shipped


def test_positions_are_resized_in_float32_then_rounded(numbers: Arrays) -> None:
    stored = load_file(weights("linear"))["backbone.pos_embed"]
    close(
        resize_positions(stored, 182, 14).bfloat16().float(),
        numbers["linear_pos_embed_resized_112to182_bf16"],
        1e-6,
    )


@pytest.mark.parametrize(
    "case", json.loads((DATA / "09_seg_test_resize.json").read_text()), ids=str
)
def test_images_take_the_sizes_of_the_public_protocol(case: dict[str, object]) -> None:
    sizes = target_sizes(int(str(case["width"])), int(str(case["height"])), 504, 14)
    assert [list(size) for size in sizes] == [
        case["after_setr_resize_hw"],
        case["after_multiple14_hw"],
    ]


def test_windows_cover_the_image_and_stay_inside() -> None:
    covered = np.zeros((504, 1036), int)
    for y, x in windows(504, 1036, 504, 322):
        assert y + 504 <= 504
        assert x + 504 <= 1036
        covered[y : y + 504, x : x + 504] += 1
    assert covered.min() == 1
    assert list(windows(504, 1036, 504, 322)) == [(0, 0), (0, 322), (0, 532)]


def test_a_resized_image_keeps_bytes() -> None:
    image = torch.randint(0, 256, (60, 90, 3), generator=torch.manual_seed(1)).byte()
    pixels = prepare(image, SIDE, 14)
    assert pixels.shape == (1, 3, 112, 168)
    assert torch.equal(pixels, pixels.round())
    assert 0 <= pixels.min() <= pixels.max() <= 255


def test_bands_are_one_resize() -> None:
    logits = torch.randn(5, 40, 30, generator=torch.manual_seed(2))
    whole = torch.nn.functional.interpolate(
        logits[None], (301, 67), mode="bilinear", align_corners=False
    )[0]
    parts = list(bands(logits, 301, 67))
    assert [start for start, _ in parts] == [0, 64, 128, 192, 256]
    torch.testing.assert_close(torch.cat([band for _, band in parts], 1), whole)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return load_segmenter(weights("linear"), CPU)


def test_a_picture_of_any_size_gets_a_class_for_each_pixel(segmenter: Segmenter) -> None:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (75, 130, 3), np.uint8))
    result = segmenter.segment(image)
    assert result.classes.shape == (75, 130)
    areas = result.areas()
    assert sum(areas.values()) == pytest.approx(1)
    assert list(areas.values()) == sorted(areas.values(), reverse=True)
    assert set(areas) == {segmenter.names[index] for index in np.unique(result.classes)}
    picture = result.picture()
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), result.classes)
    assert picture.convert("RGB").getpixel((0, 0)) == palette(5)[result.classes[0, 0]]
    assert result.overlay(image, 0).tobytes() == image.tobytes()
    assert result.overlay(image).size == image.size


def test_the_same_pixels_in_other_modes_give_the_same_classes(segmenter: Segmenter) -> None:
    grey = Image.linear_gradient("L").resize((60, 50))
    first = segmenter.segment(grey).classes
    np.testing.assert_array_equal(first, segmenter.segment(grey.convert("RGB")).classes)


def test_a_panorama_beyond_all_measure_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(InvalidInput, match="1700 x 100"):
        segmenter.segment(Image.new("RGB", (1700, 100)))


def test_ade20k_has_150_classes_and_as_many_colours() -> None:
    assert len(ADE20K) == len(set(ADE20K)) == 150
    assert (ADE20K[0], ADE20K[12], ADE20K[149]) == ("wall", "person", "flag")
    assert len(set(palette(150))) == 150


def test_a_torch_file_with_its_wrapper_is_the_same(tmp_path: Path, numbers: Arrays) -> None:
    path = tmp_path / "upernet.pth"
    path.with_suffix(".json").write_text(json.dumps(NUMBERS))
    torch.save({"meta": {"epoch": 1}, "state_dict": load_file(weights("upernet"))}, path)
    model = load_segmenter(path, CPU)._model
    with torch.inference_mode():
        close(model(torch.from_numpy(numbers["x"][:1])), numbers["upernet_encode_decode"], 3e-5)


def test_a_head_alone_takes_its_tower_from_another_file(tmp_path: Path, numbers: Arrays) -> None:
    tensors = load_file(weights("linear"))
    tower = tmp_path / "tower.safetensors"
    own = {n: t for n, t in tensors.items() if n.startswith("decode_head.")}
    head = saved(tmp_path / "head.safetensors", own)
    save_file(
        {n.removeprefix("backbone."): t for n, t in tensors.items() if n.startswith("backbone.")},
        tower,
    )
    with pytest.raises(CheckpointError, match="backbone must be given"):
        load_segmenter(head, CPU)
    options = SegmentationOptions(**{**vars(CPU), "backbone": tower})
    model = load_segmenter(head, options)._model
    with torch.inference_mode():
        close(model(torch.from_numpy(numbers["x"][:1])), numbers["linear_encode_decode"], 3e-5)


@pytest.mark.parametrize(("name", "block"), [("linear_frozen", 44), ("linear_1of16", 47)])
def test_a_public_probe_is_known_by_its_name(tmp_path: Path, name: str, block: int) -> None:
    segmenter = load_segmenter(public_probe(tmp_path / f"{name}.safetensors"), CPU)
    assert segmenter._model.config.blocks == (block,)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"heads": None}, r'write {"heads": NUMBER} into tiny.json'),
        ({"heads": 5}, "attention heads"),
        ({"window": 100}, "100 pixels is not a multiple"),
        ({"stride": 0}, "stride: Input should be greater"),
        ({"block": 4}, "blocks 0 to 3, not 4"),
        ({"sstride": 4}, "sstride: Extra inputs"),
    ],
)
def test_numbers_that_do_not_fit(tmp_path: Path, numbers: dict[str, int | None], said: str) -> None:
    path = saved(tmp_path / "tiny.safetensors", load_file(weights("linear")), **numbers)
    with pytest.raises(CheckpointError, match=said):
        load_segmenter(path, CPU)


def test_what_is_no_segmentation_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="hf download"):
        load_segmenter(tmp_path / "missing.pth", CPU)
    tensors = load_file(weights("linear"))
    tensors.pop("decode_head.norm.weight")
    broken = saved(tmp_path / "broken.safetensors", tensors)
    with pytest.raises(CheckpointError, match=r"missing \(1\):\s+decode_head.norm.weight"):
        load_segmenter(broken, CPU)
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        load_segmenter(broken, CPU)
