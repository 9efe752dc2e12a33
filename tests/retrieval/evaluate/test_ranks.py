import numpy as np
import pytest

from encoders import unit
from retrieval.evaluate import ranks
from retrieval.evaluate.pairs import Sides
from retrieval.evaluate.ranks import dual_softmax_scores, first_ranks, recall_at
from tests.encoders.internvl.tiny import load_facts, load_numbers


@pytest.mark.parametrize("block", [1, 100, ranks.BLOCK])
@pytest.mark.parametrize("depth", [1, 5, 10])
def test_recall_equals_the_reference(
    depth: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "BLOCK", block)
    arrays, expected = load_numbers("08"), load_facts("08_retrieval_metrics.json")
    sides = Sides(unit(arrays["image_emb"]), unit(arrays["text_emb"]), arrays["text_owner"])
    ours = {
        f"image_retrieval_recall@{depth}": recall_at(sides.text_to_media(), depth),
        f"text_retrieval_recall@{depth}": recall_at(sides.media_to_text(), depth),
    }
    assert ours == pytest.approx({name: expected[name] for name in ours})


@pytest.mark.parametrize("block", [1, 15, ranks.BLOCK])
def test_dual_softmax_equals_the_reference(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "BLOCK", block)
    arrays, expected = load_numbers("07_video"), load_facts("07_video_dsl_metrics.json")
    for way, scores in (("dsl_t2v", arrays["scores"]), ("dsl_v2t", arrays["scores"].T)):
        ours = dual_softmax_scores(scores, np.exp(scores).sum(axis=0))
        np.testing.assert_allclose(ours, arrays[way], atol=1e-6)
    sides = Sides(arrays["video_emb"], arrays["text_emb"], np.arange(6))
    for name, dual in (("use_dsl", True), ("no_dsl", False)):
        for depth in (1, 2, 3):
            found = {
                "t2v": recall_at(sides.text_to_media(dual_softmax=dual), depth),
                "v2t": recall_at(sides.media_to_text(dual_softmax=dual), depth),
            }
            for way, value in found.items():
                assert value == pytest.approx(expected[name][f"{way}_retrieval_recall@{depth}"])


def test_equal_scores_are_ordered_by_position() -> None:
    rows = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    right = [np.array([at]) for at in (0, 2, 3)]
    assert first_ranks(rows[[0, 0, 0]], rows, right).tolist() == [1, 3, 4]


def test_the_best_of_several_right_answers_counts() -> None:
    gallery = unit(np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32))
    assert first_ranks(gallery[:1], gallery, [np.array([2, 1])]).tolist() == [2]
