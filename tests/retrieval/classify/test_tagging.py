"""Labels for stored points, written into their payload."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.fake import COLOURS, FakeEncoder
from indexer import Collection, Filter, LocalStore, Point, Schema, point_id
from retrieval.classify import (
    Classifier,
    ClassList,
    Prompts,
    classify_points,
    tag_points,
    tagging,
    zero_shot,
)
from retrieval.errors import ClassifierMismatch
from tests.media import plain

INFO = FakeEncoder.info


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """An image of each colour."""
    store = LocalStore(tmp_path)
    made = store.create("colours", Schema(INFO.vectors, INFO.name, INFO.fingerprint))
    rows = FakeEncoder().encode_images([plain(colour) for colour in COLOURS])["default"]
    made.upsert(
        [
            Point(point_id(name, "image"), name, {"default": row}, {"kind": "image", "name": name})
            for name, row in zip(COLOURS, rows, strict=True)
        ]
    )
    yield made
    store.close()


@pytest.fixture
def classifier() -> Classifier:
    return zero_shot(FakeEncoder(), ClassList.of([*COLOURS]), Prompts.of(["a {c} picture"]))


def labels_of(collection: Collection, key: str) -> dict[str, object]:
    records = collection.scroll().records
    return {record.asset: record.payload.get(key) for record in records}


@pytest.mark.parametrize("page", [3, 1000])
def test_every_point_gets_its_label(
    collection: Collection, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(tagging, "PAGE", page)
    monkeypatch.setattr(tagging, "EDIT", 1)
    counts = tag_points(collection, classify_points(collection, classifier), "colour")
    assert counts == dict.fromkeys(COLOURS, 1)
    assert labels_of(collection, "colour") == {name: [name] for name in COLOURS}
    red = Filter.parse({"must": [{"key": "colour", "match": {"value": "red"}}]})
    assert [record.asset for record in collection.scroll(red).records] == ["red"]


def test_labels_that_no_longer_hold_are_gone(
    collection: Collection, classifier: Classifier
) -> None:
    tag_points(collection, classify_points(collection, classifier), "colour")
    strict = replace(classifier, exclusive=False, bias=classifier.bias - 200)
    assert tag_points(collection, classify_points(collection, strict), "colour") == {}
    assert labels_of(collection, "colour") == {name: [] for name in COLOURS}


def test_a_filter_leaves_the_rest_alone(collection: Collection, classifier: Classifier) -> None:
    some = Filter.parse({"must": [{"key": "name", "match": {"any": ["red", "blue"]}}]})
    found = classify_points(collection, classifier, filter=some, top=2)
    assert sum(tag_points(collection, found, "colour").values()) == 4
    tagged = {asset: labels for asset, labels in labels_of(collection, "colour").items() if labels}
    assert tagged.keys() == {"red", "blue"}


def test_points_without_the_vector_are_passed_over(tmp_path: Path, classifier: Classifier) -> None:
    with closing(LocalStore(tmp_path / "two")) as store:
        both = store.create("both", Schema({"default": 48, "other": 2}))
        for name in ("default", "other"):
            row = np.ones(both.schema.vectors[name], np.float32)
            both.upsert([Point(point_id(name, "image"), name, {name: row})])
        assert [record.asset for record, _ in classify_points(both, classifier)] == ["default"]


def test_a_classifier_for_other_vectors_is_refused_at_the_call(
    collection: Collection, classifier: Classifier
) -> None:
    for other, problem in (
        (replace(classifier, vector="c"), "is for a vector 'c'"),
        (replace(classifier, fingerprint={"image": "another"}), "image part differs"),
        (replace(classifier, normalized=False), "only their directions"),
    ):
        with pytest.raises(ClassifierMismatch, match=problem):
            classify_points(collection, other)
