import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from retrieval.evaluate.measures import average_precision, ndcg, recall, reciprocal_rank
from tests.encoders.internvl.tiny import load_numbers


def test_average_precision_equals_the_reference() -> None:
    arrays = load_numbers("08")
    found = [
        average_precision(target.astype(bool), scores)
        for target, scores in zip(arrays["ml_target"].T, arrays["acc_logits"].T, strict=True)
    ]
    np.testing.assert_allclose(found, arrays["ap_per_class"], atol=1e-6)


@given(st.lists(st.booleans(), min_size=2, max_size=30).filter(any), st.integers(0, 2**32 - 1))
def test_average_precision_equals_another_implementation(relevant: list[bool], seed: int) -> None:
    scores = np.random.default_rng(seed).permutation(len(relevant)).astype(np.float32)
    ours = average_precision(np.array(relevant), scores)
    assert ours == pytest.approx(average_precision_score(relevant, scores))


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=2, max_size=20).filter(any))
def test_ndcg_equals_another_implementation(gains: list[float]) -> None:
    ideal = [gain for gain in gains if gain]
    scores = -np.arange(len(gains), dtype=float)
    for k in (1, 3, 10):
        theirs = ndcg_score([gains], [scores], k=k)
        assert ndcg(gains, ideal, k) == pytest.approx(theirs)


def test_recall_and_reciprocal_rank() -> None:
    gains, ideal = [0.0, 1.0, 0.0, 2.0], [1.0, 2.0, 1.0]
    assert [recall(gains, ideal, k) for k in (1, 2, 4)] == pytest.approx([0, 1 / 3, 2 / 3])
    assert reciprocal_rank(gains) == 0.5
    assert reciprocal_rank([0.0]) == 0
