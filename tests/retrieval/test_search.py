"""Searching real collections made with the `fake` encoder, which finds pictures by colour."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoders import EncoderInfo, EncoderMismatch
from encoders.fake import DIM, FakeEncoder
from indexer import Collection, Filter, LocalStore, Payload, Point, Schema, point_id
from indexer.base import Kind
from retrieval import InvalidQuery, Part, Query, Searcher, UnknownPoint
from tests.retrieval.library import walk

ENCODER = FakeEncoder()


def colour(name: str) -> NDArray[np.float32]:
    return ENCODER.encode_images([Image.new("RGB", (8, 8), name)])["default"].reshape(DIM)


def point(
    asset: str, vector: NDArray[np.float32], kind: Kind = "image", start: float = 0.0
) -> Point:
    payload: Payload = {"kind": kind, "name": asset}
    if kind == "segment":
        payload |= {"start": start, "end": start + 4, "frame": start + 2}
    return Point(point_id(asset, kind, int(start * 1000)), asset, {"default": vector}, payload)


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    info = ENCODER.info
    store = LocalStore(tmp_path)
    made = store.create("films", Schema(info.vectors, info.name, info.fingerprint))
    made.upsert([point(f"{name}.png", colour(name)) for name in ("red", "green", "blue", "white")])
    half = colour("red") + colour("yellow")
    made.upsert(
        [
            point("film.mp4", colour("yellow"), "segment", 0),
            point("film.mp4", half, "segment", 4),
            point("film.mp4", colour("blue"), "segment", 8),
            point("film.mp4", colour("green"), "video"),
        ]
    )
    yield made
    store.close()


@pytest.fixture
def searcher(collection: Collection) -> Searcher:
    return Searcher(collection, ENCODER)


def names(searcher: Searcher, *parts: Part, limit: int = 3) -> list[str]:
    return [hit.asset for hit in searcher.search(Query(parts, limit=limit)).hits]


def test_text_image_and_stored_point_find_the_same(searcher: Searcher) -> None:
    by_text = names(searcher, Part(text="a red thing"))
    assert by_text[0] == "red.png"
    assert names(searcher, Part(image=Image.new("RGB", (40, 30), "red"))) == by_text
    assert names(searcher, Part(point=point_id("red.png", "image"))) == by_text


def test_a_negative_part_pushes_away(searcher: Searcher) -> None:
    plain = names(searcher, Part(text="yellow"), limit=9)
    pushed = names(searcher, Part(text="yellow"), Part(text="red", weight=-1.5), limit=9)
    assert plain[-1] == "blue.png"
    assert pushed[-1] == "red.png"


def test_hits_of_a_video_are_one_answer_with_its_moment(searcher: Searcher) -> None:
    answer = searcher.search(Query([Part(text="yellow")], limit=10))
    film = next(hit for hit in answer.hits if hit.asset == "film.mp4")
    assert [hit.asset for hit in answer.hits].count("film.mp4") == 1
    assert (film.moments[0].start, film.moments[0].end) == (0, 8)
    assert film.moments[0].id == point_id("film.mp4", "segment", 0)
    assert film.score == pytest.approx(1, abs=1e-6)


def test_a_video_found_as_a_whole_still_shows_its_best_moment(searcher: Searcher) -> None:
    query = Query([Part(image=Image.new("RGB", (8, 8), "green"))], limit=2)
    film = searcher.search(query).hits[1]
    assert film.payload["kind"] == "video"
    assert film.moments


def test_ungrouped_hits_are_points(searcher: Searcher) -> None:
    answer = searcher.search(Query([Part(text="yellow")], limit=3, group=False))
    assert [hit.asset for hit in answer.hits][:2] == ["film.mp4", "film.mp4"]
    assert [(m.start, m.end) for m in answer.hits[0].moments] == [(0, 4)]


def test_a_filter_narrows_hits_and_moments(searcher: Searcher) -> None:
    late = Filter.parse({"must": [{"key": "start", "range": {"gte": 8}}]})
    (film,) = searcher.search(Query([Part(text="yellow")], filter=late)).hits
    assert [(m.start, m.end) for m in film.moments] == [(8, 12)]


def test_a_long_video_does_not_crowd_out_the_rest(collection: Collection) -> None:
    long = [point("long.mp4", colour("red"), "segment", 4 * i) for i in range(300)]
    collection.upsert(long)
    hits = Searcher(collection, ENCODER).search(Query([Part(text="red")], limit=5)).hits
    assert len({hit.asset for hit in hits}) == 5


def test_an_unfiltered_field_that_nobody_has_is_told(searcher: Searcher) -> None:
    nowhere = Filter.parse({"must": [{"key": "colour", "match": {"value": "red"}}]})
    answer = searcher.search(Query([Part(text="red")], filter=nowhere))
    assert not answer.hits
    assert "colour" in answer.warnings[0]


def test_stages_are_timed_and_told_on_request(searcher: Searcher) -> None:
    quiet = searcher.search(Query([Part(text="red")]))
    told = searcher.search(Query([Part(text="red")], explain=True))
    assert list(quiet.took_ms) == ["plan", "encode", "words", "retrieve", "moments"]
    assert quiet.stages == []
    assert [stage.name for stage in told.stages] == list(quiet.took_ms)
    assert told.stages[3].using == "default"


def test_a_given_vector_is_a_part_like_others(searcher: Searcher) -> None:
    by_text = names(searcher, Part(text="red"), Part(text="blue", weight=-0.5))
    vectors = ENCODER.encode_texts(["red", "blue"])["default"] * np.float32(7)
    given = [Part(vector=vectors[0]), Part(vector=vectors[1], weight=-0.5)]
    assert names(searcher, *given) == by_text
    with pytest.raises(InvalidQuery, match="3 numbers; vector 'default' has 48"):
        names(searcher, Part(vector=np.ones(3, np.float32)))


def test_a_filter_that_contradicts_itself_is_told(searcher: Searcher) -> None:
    image = {"key": "kind", "match": {"value": "image"}}
    tree = Filter.parse({"must": [image], "must_not": [image]})
    answer = searcher.search(Query([Part(text="red")], filter=tree))
    assert not answer.hits
    assert "must and must_not both have" in answer.warnings[0]


def test_an_encoder_that_cannot_rerank_says_so(searcher: Searcher) -> None:
    with pytest.raises(InvalidQuery, match="'fake' cannot match a picture with a text"):
        searcher.search(Query([Part(text="red")], rerank=5))


class Unmeasured(FakeEncoder):
    """`fake` without a threshold, as most encoders are."""

    info: EncoderInfo = replace(FakeEncoder.info, match_threshold=None)


def test_each_hit_is_judged_and_the_answer_by_its_best(searcher: Searcher) -> None:
    answer = searcher.search(Query([Part(text="red")]))
    assert answer.good_match is True
    judged = {hit.asset: hit.good_match for hit in answer.hits}
    assert judged["red.png"] is True
    assert judged["green.png"] is False


def test_a_poor_best_hit_is_no_good_match(searcher: Searcher) -> None:
    poor = searcher.search(Query([Part(text="a submarine")]))
    assert poor.good_match is False
    assert {hit.good_match for hit in poor.hits} == {False}


def test_no_hit_is_no_good_match(searcher: Searcher) -> None:
    nowhere = Filter.parse({"must": [{"key": "kind", "match": {"value": "text"}}]})
    assert searcher.search(Query([Part(text="red")], filter=nowhere)).good_match is False


def test_without_a_fitted_threshold_nothing_is_claimed(
    collection: Collection, searcher: Searcher
) -> None:
    unmeasured = Searcher(collection, Unmeasured())
    answer = unmeasured.search(Query([Part(text="red")]))
    assert answer.good_match is None
    assert {hit.good_match for hit in answer.hits} == {None}
    by_image = Query([Part(image=Image.new("RGB", (8, 8), "red"))])
    assert searcher.search(by_image).good_match is None


def test_relevance_falls_with_the_score_and_decides_what_is_good(searcher: Searcher) -> None:
    hits = searcher.search(Query([Part(text="red")], limit=9)).hits
    likely = [cast(float, hit.relevance) for hit in hits]
    assert likely == sorted(likely, reverse=True)
    assert [hit.good_match for hit in hits] == [value >= 0.5 for value in likely]
    assert likely[0] > 0.9
    assert likely[-1] < 0.1


@pytest.mark.parametrize("limit", [1, 2, 9])
def test_least_relevance_ends_a_walk_early(searcher: Searcher, limit: int) -> None:
    everything = searcher.search(Query([Part(text="red")], limit=9)).hits
    least = cast(float, everything[2].relevance)
    query = Query([Part(text="red")], limit=limit, min_relevance=least, explain=True)
    pages = list(walk(searcher, query))
    assert [hit.asset for page in pages for hit in page.hits] == [
        hit.asset for hit in everything[:3]
    ]
    assert pages[0].good_match is True
    assert [stage.name for stage in pages[0].stages].count("cut") == 1


def test_nothing_relevant_is_an_answer(searcher: Searcher) -> None:
    plain = Query([Part(text="a submarine")], min_relevance=0.5)
    for query in (plain, replace(plain, collapse=True), replace(plain, diversity=0.5)):
        answer = searcher.search(query)
        assert (answer.hits, answer.good_match, answer.next) == ([], False, None)


def test_least_relevance_needs_a_text_and_an_encoder_that_was_measured(
    collection: Collection,
) -> None:
    with pytest.raises(InvalidQuery, match="0 to 1, not 2"):
        Query([Part(text="red")], min_relevance=2)
    with pytest.raises(InvalidQuery, match="one text and nothing else"):
        Query([Part(text="red"), Part(text="blue", weight=-1)], min_relevance=0.5)
    with pytest.raises(InvalidQuery, match="'fake' mean was not measured"):
        Searcher(collection, Unmeasured()).search(Query([Part(text="red")], min_relevance=0.5))


def test_bad_queries_are_told_apart(searcher: Searcher) -> None:
    with pytest.raises(UnknownPoint, match="no point"):
        searcher.search(Query([Part(point=uuid4())]))
    with pytest.raises(InvalidQuery, match="no vector 'g'"):
        searcher.search(Query([Part(text="red")], vector="g"))
    with pytest.raises(InvalidQuery, match="cancel"):
        searcher.search(Query([Part(text="red"), Part(text="red", weight=-1)]))


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    other = {**ENCODER.info.fingerprint, "image": "0" * 16}
    made = store.create("others", Schema({"default": DIM}, "other", other))
    with pytest.raises(EncoderMismatch, match="image part differs"):
        Searcher(made, ENCODER)
    store.close()
