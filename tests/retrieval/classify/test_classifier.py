"""The one kind of classifier: its numbers, its file, its fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from encoders.fake import FakeEncoder
from retrieval.classify import Classifier, Probes
from retrieval.classify.classifier import topk_accuracy
from retrieval.errors import ClassifierMismatch, InvalidClassifier, UnknownProbe
from tests.encoders.internvl.tiny import load_numbers

SEED = 0


@pytest.fixture
def classifier() -> Classifier:
    rng = np.random.default_rng(SEED)
    return Classifier(
        labels=["cat", "dog", '犬 "x"'],
        weights=rng.standard_normal((48, 3)).astype(np.float32),
        bias=rng.standard_normal(3).astype(np.float32),
        vector="default",
        encoder="fake",
        fingerprint=FakeEncoder.info.fingerprint,
        made="by hand",
    )


def rows(count: int = 7) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(SEED).standard_normal((count, 48)).astype(np.float32)


def test_accuracy_equals_the_reference() -> None:
    arrays = load_numbers("08")
    found = [topk_accuracy(arrays["acc_logits"], arrays["acc_target"].tolist(), k) for k in (1, 5)]
    np.testing.assert_allclose(found, arrays["acc_top1_top5"], atol=1e-6)


def test_labels_that_exclude_each_other_share_one(classifier: Classifier) -> None:
    found = classifier.probabilities(rows())
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    logits = classifier.logits(rows())
    np.testing.assert_array_equal(found.argmax(axis=1), logits.argmax(axis=1))
    best = classifier.guess(rows())
    assert [len(guesses) for guesses in best] == [1] * 7
    three = classifier.guess(rows(), top=5)
    for guesses in three:
        assert [g.probability for g in guesses] == sorted(g.probability for g in guesses)[::-1]
        assert len(guesses) == 3
    none = classifier.guess(rows(), at_least=1.0)
    assert none == [[]] * 7


def test_labels_that_do_not_are_judged_one_by_one(classifier: Classifier) -> None:
    several = replace(classifier, exclusive=False)
    found = several.probabilities(rows())
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-several.logits(rows()))), atol=1e-6)
    for guesses, row in zip(several.guess(rows()), found, strict=True):
        assert len(guesses) == (row >= 0.5).sum()


def test_only_directions_count_unless_lengths_do(classifier: Classifier) -> None:
    np.testing.assert_allclose(classifier.logits(3 * rows()), classifier.logits(rows()), atol=1e-5)
    raw = replace(classifier, normalized=False)
    assert np.abs(raw.logits(3 * rows()) - raw.logits(rows())).max() > 1


def test_huge_logits_are_still_probabilities(classifier: Classifier) -> None:
    huge = replace(classifier, weights=classifier.weights * 1e6)
    for exclusive in (True, False):
        found = replace(huge, exclusive=exclusive).probabilities(rows())
        assert np.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1


def test_a_file_gives_it_back(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "a.safetensors")
    again = Classifier.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(again.weights, classifier.weights)
    np.testing.assert_array_equal(again.bias, classifier.bias)
    assert replace(again, weights=classifier.weights, bias=classifier.bias) == classifier
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_files_of_something_else_are_refused(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(InvalidClassifier, match="not a polylens classifier"):
        Classifier.load(path)
    classifier.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidClassifier, match="not a polylens classifier"):
        Classifier.load(path)
    zeros = {"weights": np.zeros((4, 2), np.float32), "bias": np.zeros(2, np.float32)}
    for about in (None, {"polylens": "{}"}, {"polylens": "[1]"}, {"polylens": "no"}):
        save_file(zeros, path, about)
        with pytest.raises(InvalidClassifier, match="not a polylens classifier"):
            Classifier.load(path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"labels": ["one"]}, "are not those of 1 labels"),
        ({"bias": np.zeros(2, np.float32)}, r"bias \[2\] are not those of 3 labels"),
        ({"bias": np.full(3, np.nan, np.float32)}, "not all finite"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    classifier: Classifier, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidClassifier, match=problem):
        replace(classifier, **change)


def test_it_knows_what_it_is_for(classifier: Classifier) -> None:
    info = FakeEncoder.info
    classifier.require_fits(info.vectors, info.fingerprint, "x")
    classifier.require_fits(info.vectors, {}, "a node that knows nothing")
    with pytest.raises(ClassifierMismatch, match=r"'default' of 48 dimensions; x has \{'c': 48\}"):
        classifier.require_fits({"c": 48}, info.fingerprint, "x")
    with pytest.raises(ClassifierMismatch, match="48 dimensions"):
        classifier.require_fits({"default": 32}, info.fingerprint, "x")
    with pytest.raises(ClassifierMismatch, match=r"image part differs.*made with fake"):
        classifier.require_fits(info.vectors, {"image": "another"}, "x")


def test_probes_are_kept_by_name(classifier: Classifier, tmp_path: Path) -> None:
    probes = Probes(tmp_path / "probes")
    assert probes.names() == []
    with pytest.raises(UnknownProbe, match="there is none: train one"):
        probes.load("birds")
    probes.save("birds", classifier)
    probes.save("Käfer-2.1", replace(classifier, made="again"))
    assert probes.names() == ["Käfer-2.1", "birds"]
    assert probes.load("birds").made == "by hand"
    probes.save("birds", replace(classifier, made="newer"))
    assert probes.load("birds").made == "newer"
    with pytest.raises(UnknownProbe, match=r"'bees'; there is Käfer-2.1, birds"):
        probes.load("bees")
    for name in ("", "../birds", "a/b", ".hidden", "x" * 101, "a\nb"):
        with pytest.raises(InvalidClassifier, match="cannot be the name of a probe"):
            probes.load(name)
