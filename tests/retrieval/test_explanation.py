"""A query never takes a path that its explanation does not show."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from encoders import Encoder
from encoders.internvl.encoder import InternVLEncoder
from indexer import Collection, Filter, IndexOptions, LocalStore, Store, point_id
from retrieval import Answer, Part, Query, Searcher
from tests.media import picture
from tests.retrieval.library import create, schema_of, store_all

CALLS = {
    "words": "find_text",
    "compare": "search",
    "retrieve": "search",
    "rescore": "search",
    "moments": "search",
    "look up": "get",
    "match": "match",
}
"""What each stage asks of the collection or the encoder; those not here ask nothing."""

PARTS = {
    "text": [Part(text="a red panda")],
    "image": [Part(image=picture(1)), Part(text="snow", weight=-0.5)],
    "point": [Part(point=point_id("asset-1", "image"))],
    "vector": [Part(vector=np.ones(32, np.float32))],
}
FILTERS = [None, Filter.parse({"must": [{"key": "kind", "match": {"value": "image"}}]})]


class Watched:
    """Notes which methods of a thing are called."""

    def __init__(self, thing: object, calls: list[str]) -> None:
        self._thing = thing
        self._calls = calls

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the thing has
        found = getattr(self._thing, name)
        return self._noting(name, found) if callable(found) else found

    def _noting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: object, **named: object) -> object:
            self._calls.append(name)
            return method(*given, **named)

        return call


@pytest.fixture
def collection(store: Store, internvl: InternVLEncoder) -> Collection:
    made = create(store, internvl)
    store_all(made, np.random.default_rng(3), [1 + 2 * (n % 4 == 0) for n in range(30)])
    some = {"must": [{"key": "asset", "match": {"any": ["asset-3", "asset-8"]}}]}
    made.set_payload(Filter.parse(some), {"caption": "a red panda in the snow"})
    return made


def explained(answer: Answer) -> list[str]:
    """The calls that the explanation speaks of."""
    calls = []
    for stage in answer.stages:
        call = f"encode_{stage.using}s" if stage.name == "encode" else CALLS.get(stage.name, "")
        calls += [call] if call and (call != "match" or stage.count) else []
    return calls


@pytest.mark.parametrize("kind", PARTS)
def test_everything_that_is_asked_is_explained(
    collection: Collection, internvl: InternVLEncoder, kind: str
) -> None:
    calls: list[str] = []
    searcher = Searcher(
        cast(Collection, Watched(collection, calls)),
        cast(Encoder, Watched(internvl, calls)),
        lambda hit: picture(hit.id.int % 99),
    )
    flags = (True, False) if kind == "text" else (True,)
    for tree, group, collapse, varied, rerank, vector in product(
        FILTERS, (True, False), flags, flags, flags, (None, "g")
    ):
        query = Query(
            PARTS[kind],
            tree,
            limit=3,
            group=group,
            vector=vector,
            collapse=collapse,
            diversity=0.5 * varied,
            rerank=2 * (rerank and kind == "text"),
            explain=True,
        )
        for _ in range(2):
            calls.clear()
            answer = searcher.search(query)
            assert calls == explained(answer), query
            assert answer.stages[0].name == "plan"
            query = replace(query, cursor=answer.next)


def test_effort_says_how_hard_an_index_is_looked_through(
    tmp_path: Path, internvl: InternVLEncoder
) -> None:
    with closing(LocalStore(tmp_path, index=IndexOptions("ivf-rabitq", gather_rows=0))) as store:
        made = store.create("library", schema_of(internvl))
        store_all(made, np.random.default_rng(3), [1] * 1000)
        made.seal()
        by_vector = Query([Part(vector=np.ones(32, np.float32))], explain=True)
        notes = {}
        for effort in (0.0, 1.0):
            answer = Searcher(made, internvl).search(replace(by_vector, effort=effort))
            notes[effort] = [stage.note for stage in answer.stages if stage.name == "retrieve"]
    assert notes == {0.0: ["segments, approximate"], 1.0: ["scan, exact"]}
