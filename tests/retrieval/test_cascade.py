"""The stages over the tiny InternVL checkpoint, whose collections store `c` and `g`."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from encoders.internvl.encoder import InternVLEncoder
from indexer import Collection, Hit, Store, point_id
from retrieval import InvalidQuery, Part, Query, Searcher
from tests.media import picture
from tests.retrieval.library import create, random_points, store_all

TEXT = Part(text="a red panda")


@pytest.fixture
def collection(store: Store, internvl: InternVLEncoder) -> Collection:
    made = create(store, internvl)
    store_all(made, np.random.default_rng(3), [1 + 2 * (n % 4 == 0) for n in range(60)])
    return made


def show(hit: Hit) -> Image.Image | None:
    """A picture for each point, but for one in seven."""
    return picture(hit.id.int % 1000) if hit.id.int % 7 else None


@pytest.fixture
def searcher(collection: Collection, internvl: InternVLEncoder) -> Searcher:
    return Searcher(collection, internvl, show)


@pytest.mark.parametrize("group", [True, False])
@pytest.mark.parametrize("weight", [0.0, -0.5])
def test_rescoring_all_by_g_is_searching_by_g(
    searcher: Searcher, group: bool, weight: float
) -> None:
    parts = [TEXT, Part(image=picture(5), weight=weight)] if weight else [TEXT]
    by_g = searcher.search(Query(parts, limit=1000, group=group, vector="g")).hits
    both = searcher.search(Query(parts, limit=1000, group=group, candidates=1000)).hits
    assert [(hit.id, hit.score) for hit in both] == [(hit.id, hit.score) for hit in by_g]
    assert all(hit.scores["g"] == hit.score for hit in both)
    assert len(both) == (60 if group else 90)


def test_only_the_best_by_c_are_rescored(searcher: Searcher) -> None:
    by_c = searcher.search(Query([TEXT], limit=12, group=False, vector="c")).hits
    both = searcher.search(Query([TEXT], limit=12, group=False, candidates=12)).hits
    assert {hit.id for hit in both} == {hit.id for hit in by_c}
    assert [hit.scores["g"] for hit in both] == sorted((h.score for h in both), reverse=True)
    assert {hit.id: hit.scores["c"] for hit in both} == {hit.id: hit.score for hit in by_c}


def test_points_without_g_come_after_the_others(collection: Collection, searcher: Searcher) -> None:
    [bare] = random_points(np.random.default_rng(9), collection, "bare")
    target = searcher.search(replace(Query([TEXT]), limit=1)).hits[0]
    [found] = collection.get([target.id], with_vectors=["c"])
    collection.upsert([replace(bare, vectors={"c": found.vectors["c"]})])
    answer = searcher.search(Query([TEXT], limit=1000, explain=True))
    assert answer.hits[-1].asset == "bare"
    assert "g" not in answer.hits[-1].scores
    assert [s.note for s in answer.stages if s.name == "rescore"] == ["1 without 'g' come after"]


def test_matches_come_in_the_order_of_their_scores(
    searcher: Searcher, internvl: InternVLEncoder
) -> None:
    before = searcher.search(Query([TEXT], limit=60)).hits
    after = searcher.search(Query([TEXT], limit=60, rerank=20, explain=True))
    first, rest = after.hits[:20], after.hits[20:]
    assert {hit.id for hit in first} == {hit.id for hit in before[:20]}
    assert [hit.id for hit in rest] == [hit.id for hit in before[20:]]
    judged = [hit for hit in first if "match" in hit.scores]
    assert judged == first[: len(judged)]
    scores = [hit.scores["match"] for hit in judged]
    assert scores == sorted(scores, reverse=True)
    pictures = [picture(hit.id.int % 1000) for hit in judged]
    expected = internvl.match(pictures, ["a red panda"] * len(pictures))
    assert scores == pytest.approx(expected.tolist(), abs=1e-5)
    unseen = [hit for hit in first if hit.id.int % 7 == 0]
    assert first[len(judged) :] == unseen
    assert unseen
    [stage] = [stage for stage in after.stages if stage.name == "match"]
    assert (stage.count, stage.note) == (
        len(judged),
        f"{len(unseen)} without a picture come after",
    )


def test_pages_of_reranked_hits_are_one_long_answer(searcher: Searcher) -> None:
    whole = [h.id for h in searcher.search(Query([TEXT], limit=60, rerank=20)).hits]
    query = Query([TEXT], limit=6, rerank=20)
    met: list[UUID] = []
    for _ in range(10):
        answer = searcher.search(query)
        met += [hit.id for hit in answer.hits]
        query = replace(query, cursor=answer.next)
    assert met == whole
    assert answer.next is None


def test_moments_have_the_scores_of_the_last_vector(searcher: Searcher) -> None:
    hits = searcher.search(Query([TEXT], limit=1000)).hits
    film = next(hit for hit in hits if hit.asset == "asset-4")
    assert film.moments[0].score == pytest.approx(film.scores["g"])
    assert [span.start for span in film.timeline] == [0, 4, 8]
    assert max(span.score for span in film.timeline) == film.moments[0].score


def test_a_given_vector_searches_alone(searcher: Searcher, internvl: InternVLEncoder) -> None:
    given = Part(vector=internvl.encode_texts(["a red panda"])["c"][0])
    answer = searcher.search(Query([given], explain=True))
    assert [stage.name for stage in answer.stages] == ["plan", "retrieve", "moments"]
    assert answer.stages[0].note == "a vector was given: c alone"


def test_what_the_tower_of_texts_alone_cannot_do(
    collection: Collection, searcher: Searcher, internvl: InternVLEncoder
) -> None:
    class Narrow(InternVLEncoder):
        """The same without its ability to match, as where one tower was loaded."""

        def __init__(self) -> None:
            self.info = replace(internvl.info, abilities=frozenset())

    with pytest.raises(InvalidQuery, match="cannot match a picture with a text"):
        Searcher(collection, Narrow(), show).search(Query([TEXT], rerank=5))
    point = point_id("asset-1", "image")
    with pytest.raises(InvalidQuery, match="exactly one with a positive weight"):
        searcher.search(Query([Part(point=point)], rerank=5))
