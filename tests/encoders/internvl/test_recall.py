"""Stored and searched, the reference's vectors give the reference's recall."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import Collection, LocalStore, Point, Schema, point_id
from tests.encoders.internvl.tiny import Arrays, load_facts


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    store = LocalStore(tmp_path)
    yield store
    store.close()


def filled(store: LocalStore, name: str, rows: NDArray[np.float32]) -> Collection:
    collection = store.create(name, Schema({"c": rows.shape[1]}))
    points = [
        Point(point_id(str(index), "image"), str(index), {"c": row})
        for index, row in enumerate(rows)
    ]
    collection.upsert(points)
    return collection


def recall(
    collection: Collection,
    queries: NDArray[np.float32],
    relevant: Sequence[set[str]],
    depth: int,
) -> float:
    """The share of queries with at least one relevant asset among the first `depth`."""
    found = [
        any(hit.asset in wanted for hit in collection.search(query, vector="c", limit=depth).hits)
        for query, wanted in zip(queries, relevant, strict=True)
    ]
    return float(np.mean(found))


@pytest.mark.parametrize("depth", [1, 5, 10])
def test_recall_equals_the_reference(
    store: LocalStore, numbers: Callable[[str], Arrays], depth: int
) -> None:
    arrays, expected = numbers("08"), load_facts("08_retrieval_metrics.json")
    images, texts, owner = arrays["image_emb"], arrays["text_emb"], arrays["text_owner"]
    by_text = recall(filled(store, "images", images), texts, [{str(i)} for i in owner], depth)
    assert by_text == pytest.approx(expected[f"image_retrieval_recall@{depth}"])
    captions = [set(map(str, np.flatnonzero(owner == i))) for i in range(len(images))]
    by_image = recall(filled(store, "texts", texts), images, captions, depth)
    assert by_image == pytest.approx(expected[f"text_retrieval_recall@{depth}"])
