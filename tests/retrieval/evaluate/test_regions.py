"""Segmentation of a toy ADE20K, through a tiny head of 150 classes and the real code path."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score

from encoders.heads.segmentation import Segmentation, Segmenter, load_segmenter
from retrieval.errors import InvalidDataset
from retrieval.evaluate import Kept, Result, evaluate_segmentation, read_ade20k, regions
from retrieval.evaluate.published import HEADS
from retrieval.evaluate.regions import compare, measures
from tests.encoders.heads.test_segmentation import CPU, saved, weights
from tests.retrieval.evaluate import toys

Map = NDArray[np.uint8]


def checkpoint(path: Path) -> Path:
    """The tiny linear head, with random weights for 150 classes."""
    tensors = load_file(weights("linear"))
    width = tensors["decode_head.conv_seg.weight"].shape[1]
    random = torch.Generator().manual_seed(5)
    tensors["decode_head.conv_seg.weight"] = torch.randn(150, width, 1, 1, generator=random)
    tensors["decode_head.conv_seg.bias"] = torch.zeros(150)
    return saved(path, tensors)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return load_segmenter(checkpoint(tmp_path_factory.mktemp("head") / "tiny.safetensors"), CPU)


@pytest.fixture
def copy(tmp_path: Path, segmenter: Segmenter) -> Path:
    """Four pictures whose annotations are what the head finds in them."""
    root = tmp_path / "ade"
    sizes = {"a": (60, 90), "b": (80, 50), "c": (64, 64), "d": (70, 75)}
    toys.ade20k(root, {name: np.zeros(size, np.uint8) for name, size in sizes.items()})
    for name in sizes:
        annotate(root, name, found(root, name, segmenter) + 1)
    return root


def found(root: Path, name: str, segmenter: Segmenter) -> Map:
    with Image.open(root / "images" / "validation" / f"{name}.jpg") as image:
        return segmenter.segment(image).classes


def annotation(root: Path, name: str) -> Path:
    return root / "annotations" / "validation" / f"{name}.png"


def annotate(root: Path, name: str, classes: Map) -> None:
    Image.fromarray(classes.astype(np.uint8)).save(annotation(root, name))


def evaluated(root: Path, segmenter: Segmenter, name: str = "tiny") -> Result:
    return evaluate_segmentation(read_ade20k(root), segmenter, name)


def values(result: Result) -> dict[str, float]:
    return {score.name: score.value for score in result.scores}


def test_what_a_head_finds_is_wholly_right(copy: Path, segmenter: Segmenter) -> None:
    result = evaluated(copy, segmenter)
    assert values(result) == {"mIoU": 100, "aAcc": 100, "mAcc": 100}
    assert result.counts["images"] == 4
    assert result.counts["classes"] > 3
    assert result.complete


def test_other_pixels_count_as_scikit_learn_counts_them(copy: Path, segmenter: Segmenter) -> None:
    """A third of the pixels gets another class, a third none; 0 and 255 are no class."""
    random = np.random.default_rng(3)
    truth, guesses = [], []
    for name in "abcd":
        guess = found(copy, name, segmenter)
        there = guess + 1
        fate = random.integers(0, 3, guess.shape)
        there[fate == 1] = random.integers(1, 151, guess.shape)[fate == 1]
        there[fate == 2] = random.choice([0, 255], guess.shape)[fate == 2]
        annotate(copy, name, there)
        truth.append(there[fate != 2] - 1)
        guesses.append(guess[fate != 2])
    actual, guessed = np.concatenate(truth), np.concatenate(guesses)
    assert values(evaluated(copy, segmenter)) == pytest.approx(
        {
            "mIoU": 100 * jaccard_score(actual, guessed, average="macro"),
            "aAcc": 100 * accuracy_score(actual, guessed),
            "mAcc": 100 * balanced_accuracy_score(actual, guessed),
        }
    )


def test_measures_of_a_confusion_that_is_known() -> None:
    """Class 0: 3 of 4 right and one too many; class 1: 1 of 2; class 2 is only found; 3 nowhere."""
    there = np.array([[1, 1, 1, 1, 2, 2, 0, 255]], np.uint8)
    guess = np.array([[0, 0, 0, 2, 1, 0, 1, 1]], np.uint8)
    total = compare(guess, there, 4)
    assert total.tolist() == [[3, 1, 0, 0], [4, 1, 1, 0], [4, 2, 0, 0]]
    assert measures(total) == pytest.approx(
        {"mIoU": (3 / 5 + 1 / 2 + 0) / 3, "aAcc": 4 / 6, "mAcc": (3 / 4 + 1 / 2) / 2}
    )


def test_what_is_missing_or_unfit_is_counted_and_not_scored(
    copy: Path, segmenter: Segmenter
) -> None:
    toys.ade20k(copy, {name: np.ones((50, 50), np.uint8) for name in "efghij"})
    annotation(copy, "e").unlink()
    (copy / "images" / "validation" / "f.jpg").unlink()
    (copy / "images" / "validation" / "g.jpg").write_bytes(b"no image")
    annotation(copy, "h").write_bytes(annotation(copy, "h").read_bytes()[:60])
    annotate(copy, "i", np.ones((50, 51), np.uint8))
    annotate(copy, "j", np.full((50, 50), 151, np.uint8))
    Image.new("RGB", (50, 80)).save(annotation(copy, "b"))
    result = evaluated(copy, segmenter)
    assert list(result.gaps) == [
        "1 images without an annotation: e.jpg",
        "1 annotations without an image: f.png",
        "2 annotations that are not a class map: b.png, j.png",
        "1 images unreadable: g.jpg",
        "1 annotations unreadable: h.png",
        "1 annotations that differ in size from their image: i.png",
    ]
    assert result.counts["images"] == 3
    assert values(result)["mIoU"] == 100


def test_a_run_that_was_cut_goes_on(
    copy: Path, segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "CHUNK", 1)
    seen: list[int] = []
    segment = segmenter.segment

    def counting(image: Image.Image) -> Segmentation:
        seen.append(image.width)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return segment(image)

    monkeypatch.setattr(segmenter, "segment", counting)
    kept, mapped = Kept(tmp_path / "cache"), read_ade20k(copy)
    with pytest.raises(KeyboardInterrupt):
        evaluate_segmentation(mapped, segmenter, "tiny", kept)
    assert values(evaluate_segmentation(mapped, segmenter, "tiny", kept))["mIoU"] == 100
    assert seen == [90, 50, 64, 64, 75]
    annotate(copy, "a", np.zeros((60, 90), np.uint8))
    evaluate_segmentation(read_ade20k(copy), segmenter, "tiny", kept)
    assert seen[5:] == [90]


def test_another_layout_or_other_classes_are_refused(tmp_path: Path, segmenter: Segmenter) -> None:
    with pytest.raises(InvalidDataset, match=r"images/validation/NAME.jpg and annotations"):
        read_ade20k(tmp_path)
    toys.ade20k(tmp_path, {"a": np.zeros((50, 50), np.uint8)})
    with pytest.raises(InvalidDataset, match="no pixel has a class"):
        evaluated(tmp_path, segmenter)
    with pytest.raises(InvalidDataset, match="tells 5 classes apart, not the 150"):
        evaluated(tmp_path, load_segmenter(weights("linear"), CPU))


def test_public_heads_stand_beside_their_numbers(copy: Path, segmenter: Segmenter) -> None:
    name = "upernet_intern_vit_6b_504_80k_ade20k_bs16_lr4e-5_frozen"
    result = evaluated(copy, segmenter, name)
    assert result.reference == "InternViT-6B UperNet, frozen tower"
    assert result.scores[0].published == 54.9
    assert list(result.gaps) == ["this copy lists 4 files, the published numbers are of 2000"]
    assert len({value for _, value in HEADS.values()}) == len(HEADS) == 8


def test_answers_that_may_differ_have_another_identity(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "tiny.safetensors")
    first = load_segmenter(path, CPU).identity
    assert load_segmenter(path, CPU).identity == first
    stated = path.with_suffix(".json")
    stated.write_text(json.dumps({**json.loads(stated.read_text()), "stride": 50}))
    assert load_segmenter(path, CPU).identity != first
