"""Words beside vectors: what has the words is found, whatever its vector is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders.fake import FakeEncoder
from indexer import Collection, Filter, LocalStore, Point, Schema, point_id
from retrieval import Part, Query, Searcher
from retrieval.fusion import RANK

ENCODER = FakeEncoder()
COUNT = 300
FAR, NEAR = 250, 3
"""Where the two pictures with captions stand in the order of their vectors."""


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Pictures ever less red; the caption of one far back says that it is red, too."""
    store = LocalStore(tmp_path)
    info = ENCODER.info
    made = store.create("captions", Schema(info.vectors, info.name, info.fingerprint))
    red, blue = ENCODER.encode_texts(["red", "blue"])["default"]
    captions = {FAR: "a red boat", NEAR: "a boat, red as the evening sky"}
    made.upsert([
        Point(
            point_id(f"{n:03}", "image"),
            f"{n:03}",
            {"default": red * np.float32(1 - n / COUNT) + blue * np.float32(n / COUNT)},
            {"kind": "image"} | ({"caption": captions[n]} if n in captions else {}),
        )
        for n in range(COUNT)
    ])  # fmt: skip
    yield made
    store.close()


@pytest.fixture
def searcher(collection: Collection) -> Searcher:
    return Searcher(collection, ENCODER)


QUERY = Query([Part(text="red boat")], limit=5, explain=True)


def test_ranks_are_fused(searcher: Searcher) -> None:
    answer = searcher.search(QUERY)
    assert [hit.asset for hit in answer.hits] == ["003", "250", "000", "001", "002"]
    near, far = answer.hits[:2]
    assert near.scores["fuse"] == pytest.approx(1 / (RANK + 4) + 1 / (RANK + 2))
    assert far.scores["fuse"] == pytest.approx(1 / (RANK + 101) + 1 / (RANK + 1))
    assert far.scores["words"] == pytest.approx(2 / 3)
    assert far.score == far.scores["default"] < near.score
    names = [stage.name for stage in answer.stages]
    assert names == ["plan", "encode", "words", "retrieve", "compare", "fuse"]


def test_what_has_every_word_is_relevant(searcher: Searcher) -> None:
    least = replace(QUERY, min_relevance=0.9, limit=1000, candidates=1000)
    hits = {hit.asset: hit for hit in searcher.search(least).hits}
    assert (hits["250"].relevance, hits["250"].good_match) == (1, True)
    unsaid = {hit.asset for hit in searcher.search(replace(least, words=False)).hits}
    assert hits.keys() - unsaid == {"250"}
    assert unsaid < {f"{n:03}" for n in range(COUNT)}


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, words=False),
        replace(QUERY, vector="default"),
        replace(QUERY, parts=[*QUERY.parts, Part(text="blue", weight=-0.1)]),
        replace(QUERY, parts=[Part(text="red sea")]),
    ],
)
def test_vectors_alone_where_nothing_is_found_or_wanted(searcher: Searcher, other: Query) -> None:
    answer = searcher.search(other)
    assert [hit.asset for hit in answer.hits][:3] == ["000", "001", "002"]
    assert "fuse" not in [stage.name for stage in answer.stages]


def test_a_filter_holds_for_words_too(searcher: Searcher) -> None:
    far = Filter.parse({"must": [{"has_id": [str(point_id("250", "image"))]}]})
    for tree, expected in ((far, ["250"]), (Filter(must_not=[far]), ["003", "000"])):
        hits = searcher.search(replace(QUERY, filter=tree, limit=2)).hits
        assert [hit.asset for hit in hits] == expected
