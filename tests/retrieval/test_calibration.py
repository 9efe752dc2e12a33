"""Relevance fitted to a collection's own background."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.relevance import photos, roc
from encoders import EncoderInfo, load_encoder
from encoders.fake import FakeEncoder
from encoders.internvl.encoder import InternVLEncoder
from indexer import Collection, LocalStore, Store
from retrieval import Calibrations, InvalidQuery, Part, Query, Searcher, calibrate
from retrieval.background import TEXTS, script
from retrieval.relevance import GOOD
from tests.retrieval.library import create, store_all


class Unmeasured(FakeEncoder):
    """`fake` without a threshold, as most encoders are."""

    info: EncoderInfo = replace(FakeEncoder.info, match_threshold=None)


ENCODER = Unmeasured()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = create(store, ENCODER)
    store_all(made, np.random.default_rng(4), [1] * 50)
    return made


def test_scripts_are_told_apart() -> None:
    found = [script(text) for text in ("a cat", "猫", "ねこ", "кот", "قطة", "고양이", "बिल्ली", "7")]
    assert found == ["LATIN", "CJK", "CJK", "CYRILLIC", "ARABIC", "HANGUL", "DEVANAGARI", ""]
    assert len(set(TEXTS)) == len(TEXTS)
    assert {script(text) for text in TEXTS} == set(found) - {""}


def test_background_grows_with_the_collection(collection: Collection) -> None:
    small = calibrate(collection, ENCODER)
    store_all(collection, np.random.default_rng(5), [1] * 2000)
    large = calibrate(collection, ENCODER)
    assert (small.points, large.points) == (50, 2000)
    bars = [one.vectors["default"].relevance("a cat").centre for one in (small, large)]
    assert bars[1] > bars[0]


def test_what_background_reaches_is_irrelevant(collection: Collection) -> None:
    calibration = calibrate(collection, ENCODER)
    searcher = Searcher(collection, ENCODER, calibration=calibration)
    answers = [searcher.search(Query([Part(text=text)])) for text in TEXTS]
    assert np.mean([answer.good_match is False for answer in answers]) >= 0.9
    [found] = collection.scroll(limit=1, with_vectors=["default"]).records
    same = collection.search(found.vectors["default"], limit=1).hits[0].score
    assert calibration.vectors["default"].relevance("a cat").of(same) > 0.9


def test_explain_says_where_relevance_comes_from(collection: Collection) -> None:
    query = Query([Part(text="a submarine")], explain=True)
    fitted = Searcher(collection, ENCODER, calibration=calibrate(collection, ENCODER))
    note = fitted.search(query).stages[0].note
    assert f"by {len(TEXTS)} background texts over 50 points" in note
    assert "relevance" not in Searcher(collection, ENCODER).search(query).stages[0].note
    threshold = Searcher(collection, FakeEncoder()).search(query).stages[0].note
    assert "relevance is one half at 0.500, by the encoder's threshold" in threshold


def test_each_vector_has_its_own_background(store: Store, internvl: InternVLEncoder) -> None:
    made = create(store, internvl)
    store_all(made, np.random.default_rng(3), [1] * 30)
    calibration = calibrate(made, internvl)
    assert calibration.vectors.keys() == {"c", "g"}
    answer = Searcher(made, internvl, calibration=calibration).search(Query([Part(text="snow")]))
    first = answer.hits[0]
    assert first.relevance == calibration.vectors["g"].relevance("snow").of(first.scores["g"])


def test_it_is_kept_by_collection_and_of_no_use_to_another_encoder(
    collection: Collection, store: Store, tmp_path: Path
) -> None:
    kept = Calibrations(tmp_path / "relevance")
    assert kept.get(collection) is None
    calibration = calibrate(collection, ENCODER)
    kept.put(collection, calibration)
    assert kept.get(collection) == calibration
    other = create(store, ENCODER, "other")
    assert kept.get(other) is None
    kept.forget(other)
    (tmp_path / "relevance" / f"{collection.uid}.json").write_text("{}")
    assert kept.get(collection) is None
    changed = replace(ENCODER.info, fingerprint={**ENCODER.info.fingerprint, "text": "x"})
    assert not calibration.fits(changed)
    with pytest.raises(InvalidQuery, match="'other' has no point"):
        calibrate(other, ENCODER)


@pytest.mark.long
def test_the_measured_points_hold_on_real_photos(tmp_path: Path) -> None:
    """docs/benchmarks.md, minus three points."""
    store = LocalStore(tmp_path)
    found = dict(photos(store, load_encoder("offline"), held_out=False))
    store.close()
    for how, kept, alarms in (("threshold", 0.69, 0.16), ("background", 0.34, 0.05)):
        judged = found[f"21 photos, {how}"]
        good = judged.relevant >= GOOD
        assert good[judged.answer].mean() >= kept
        assert good[~judged.answer].mean() <= alarms
        refused, answered = roc(judged.relevant, judged.answer)
        assert np.minimum(refused, answered).max() >= 0.74
