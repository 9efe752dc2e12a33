"""Probes learnt from vectors whose classes are known."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.fake import FakeEncoder
from retrieval.classify import Classifier, Examples, train
from retrieval.errors import InvalidClasses, RetrievalError

INFO = FakeEncoder.info
DIM = 48
SEED = 0


def clouds(labels: int, each: int, spread: float = 0.5) -> tuple[NDArray[np.float32], list[int]]:
    """Points round one centre for each label, and whose they are."""
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((labels, DIM))
    owners = np.repeat(np.arange(labels), each)
    rows = centres[owners] + spread * rng.standard_normal((labels * each, DIM))
    return rows.astype(np.float32), owners.tolist()


def one_each(rows: NDArray[np.float32], owners: list[int]) -> Examples:
    labels = [f"label {number}" for number in range(max(owners) + 1)]
    return Examples(rows, labels, np.eye(len(labels), dtype=bool)[owners])


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_what_lies_apart_is_told_apart(labels: int) -> None:
    rows, owners = clouds(labels, each=40)
    trained = train(one_each(rows[::2], owners[::2]), INFO, "default")
    assert trained.held_out == 1.0
    assert trained.counts == {f"label {number}": 20 for number in range(labels)}
    classifier = trained.classifier
    assert (classifier.exclusive, classifier.use, classifier.encoder) == (True, "search", "fake")
    assert classifier.fingerprint == {"image": INFO.fingerprint["image"]}
    found = [guesses[0] for guesses in classifier.guess(rows[1::2])]
    assert [guess.label for guess in found] == [f"label {owner}" for owner in owners[1::2]]
    assert min(guess.probability for guess in found) > 0.5


def test_probabilities_equal_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    from encoders import unit

    for labels in (2, 3):
        rows, owners = clouds(labels, each=15, spread=2.0)
        trained = train(one_each(rows, owners), INFO, "default")
        candidates = (
            LogisticRegression(C=c, max_iter=5_000).fit(unit(rows).astype(float), owners)
            for c in (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
        )
        ours = trained.classifier.probabilities(rows)
        gaps = [np.abs(ours - model.predict_proba(unit(rows))).max() for model in candidates]
        assert min(gaps) < 1e-3


def test_noise_scores_like_guessing() -> None:
    """The score is of examples that were left out: fitting noise does not raise it."""
    rng = np.random.default_rng(SEED)
    rows = rng.standard_normal((200, DIM)).astype(np.float32)
    trained = train(one_each(rows, (np.arange(200) % 2).tolist()), INFO, "default")
    assert 0.3 < trained.held_out < 0.7
    labels = [guesses[0].label for guesses in trained.classifier.guess(rows)]
    seen = np.mean([label == f"label {at % 2}" for at, label in enumerate(labels)])
    assert seen > trained.held_out


def test_examples_with_several_labels_give_any_number_of_labels() -> None:
    rng = np.random.default_rng(SEED)
    centres = np.eye(DIM, dtype=np.float32)[:3]
    targets = np.array([[at & 1, at & 2, at & 4] for at in range(1, 8)] * 20, dtype=bool)
    rows = targets @ centres + 0.05 * rng.standard_normal((len(targets), DIM))
    examples = Examples(rows.astype(np.float32), ["a", "b", "c"], targets)
    trained = train(examples, INFO, "default")
    assert not trained.classifier.exclusive
    assert trained.held_out > 0.95
    for wanted, guesses in zip(targets, trained.classifier.guess(examples.rows), strict=True):
        assert {guess.label for guess in guesses} == set(np.array(["a", "b", "c"])[wanted])


@pytest.mark.parametrize("several", [False, True])
def test_training_twice_gives_the_same(several: bool) -> None:
    rows, owners = clouds(3, each=10)
    examples = one_each(rows, owners)
    if several:
        examples = replace(examples, targets=examples.targets | np.roll(examples.targets, 5, 0))

    def once() -> Classifier:
        return train(examples, INFO, "default").classifier

    np.testing.assert_array_equal(once().weights, once().weights)


def test_too_few_examples_are_named() -> None:
    rows, owners = clouds(2, each=10)
    with pytest.raises(InvalidClasses, match="at least two labels, not 1"):
        train(one_each(rows[:10], owners[:10]), INFO, "default")
    with pytest.raises(InvalidClasses, match="'label 1' has 1 of 11 usable examples"):
        train(one_each(rows[:11], owners[:11]), INFO, "default")
    everywhere = np.ones((20, 2), dtype=bool)
    everywhere[:10, 1] = False
    with pytest.raises(InvalidClasses, match="'a' has 20 of 20 usable examples"):
        train(Examples(rows, ["a", "b"], everywhere), INFO, "default")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(RetrievalError, match=r"pip install 'polylens\[eval\]'"):
        train(one_each(*clouds(2, each=10)), INFO, "default")
