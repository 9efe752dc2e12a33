"""Walks through answers: nothing twice, nothing left out, also while others write."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from encoders.fake import FakeEncoder
from encoders.internvl.encoder import InternVLEncoder
from indexer import Collection, Filter, Store
from retrieval import InvalidCursor, Part, Query, Searcher
from retrieval.cursor import Place, read_cursor, write_cursor
from tests.retrieval.library import create, random_points, store_all, walk

FAKE = FakeEncoder()
ASSETS = 90
LIKE_THE_NEXT = {f"asset-{number}" for number in range(6, ASSETS, 6) if number % 5 % 4}
MODES: dict[str, dict[str, Any]] = {
    "points": {"group": False},
    "assets": {},
    "narrow windows": {"candidates": 30, "diversity": 0.6},
    "collapsed": {"candidates": 60, "collapse": True},
    "words": {"candidates": 20},
    "words, collapsed points": {"candidates": 20, "collapse": True, "group": False},
}


def fill(collection: Collection, random: np.random.Generator, mode: str = "") -> None:
    """Mostly images, some films of several segments; every sixth image has a near-duplicate.

    For the modes of words every seventh asset has a text.
    """
    store_all(collection, random, [1 if number % 5 else 6 for number in range(ASSETS)])
    first = [r.id for r in collection.scroll(limit=1000).records if r.asset in LIKE_THE_NEXT]
    twins = []
    for record in collection.get(first, with_vectors=["default"]):
        [twin] = random_points(random, collection, f"asset-{int(record.asset[6:]) + 1}")
        vectors = {"default": record.vectors["default"] + 1e-3 * twin.vectors["default"]}
        twins.append(replace(twin, vectors=vectors))
    collection.upsert(twins)
    if mode.startswith("words"):
        texts = [f"asset-{number}" for number in range(0, ASSETS, 7)]
        some = Filter.parse({"must": [{"key": "asset", "match": {"any": texts}}]})
        collection.set_payload(some, {"text": "this is a red thing"})


class Meddler:
    """Adds assets, and changes and removes every third that was there."""

    def __init__(self, collection: Collection, seed: tuple[int, ...]) -> None:
        self._collection = collection
        self._random = np.random.default_rng(seed)

    def act(self) -> None:
        number = int(self._random.integers(ASSETS))
        if self._random.random() < 0.5:
            was_there = {"must": [{"key": "asset", "match": {"value": f"asset-{number // 3 * 3}"}}]}
            self._collection.delete(Filter.parse(was_there))
        count = int(self._random.integers(1, 4))
        new = [f"asset-{number // 3 * 3}", *(f"new-{self._random.random()}" for _ in range(4))]
        points = [random_points(self._random, self._collection, name, count) for name in new]
        self._collection.upsert([point for asset in points for point in asset])

    def go_on(self, times: int) -> None:
        for _ in range(times):
            self.act()


def visited(searcher: Searcher, query: Query, between: Callable[[], None]) -> list[str]:
    """The assets (or points' ids) of a walk, near-duplicates included, in order."""
    seen: list[str] = []
    for answer in walk(searcher, query):
        between()
        for hit in answer.hits:
            seen.append(hit.asset if query.group else str(hit.id))
            seen += map(str, hit.duplicates)
    return seen


def rest() -> None:
    """Between two pages, do nothing."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_what_stays_the_same_is_met_once_while_others_write(
    store: Store, mode: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    collection = create(store, FAKE)
    fill(collection, random, mode)
    writers = [
        threading.Thread(target=Meddler(collection, (seed, n)).go_on, args=(20,)) for n in range(2)
    ]
    for writer in writers:
        writer.start()
    query = Query([Part(text="a red thing")], limit=7, **MODES[mode])
    seen = visited(Searcher(collection, FAKE), query, Meddler(collection, (seed, 9)).act)
    for writer in writers:
        writer.join()
    unchanged = [f"asset-{number}" for number in range(ASSETS) if number % 3]
    twins = {str(r.id): r.asset for r in collection.scroll(limit=10_000).records}
    if query.group:
        met = [twins.get(name, name) for name in seen]
    else:
        met, wanted = seen, set(unchanged)
        unchanged = [point for point, asset in twins.items() if asset in wanted]
    counts = {name: met.count(name) for name in unchanged}
    assert set(counts.values()) == {1}, {k: v for k, v in counts.items() if v != 1}


@pytest.mark.parametrize("mode", MODES)
def test_a_walk_over_what_rests_is_one_long_answer(store: Store, mode: str) -> None:
    collection = create(store, FAKE)
    fill(collection, np.random.default_rng(5), mode)
    searcher = Searcher(collection, FAKE)
    options = MODES[mode] | {"candidates": 1000}
    whole = Query([Part(text="a red thing")], limit=1000, **options)
    paged = replace(whole, limit=7)
    assert visited(searcher, paged, rest) == visited(searcher, whole, rest)
    assert searcher.search(whole).next is None


def test_a_walk_through_windows_ordered_by_another_vector(
    store: Store, internvl: InternVLEncoder
) -> None:
    collection = create(store, internvl)
    random = np.random.default_rng(8)
    store_all(collection, random, [1 + number % 3 for number in range(90)])
    query = Query([Part(text="a red panda")], limit=4, candidates=20)
    pages = [answer.hits for answer in walk(Searcher(collection, internvl), query)]
    met = [hit.asset for page in pages for hit in page]
    assert len(met) == len(set(met)) == 90
    assert [len(page) for page in pages] == [4] * 22 + [2]
    windows = [pages[i : i + 5] for i in range(0, len(pages), 5)]
    for window in windows:
        scores = [hit.scores["g"] for page in window for hit in page]
        assert scores == sorted(scores, reverse=True)


def test_limits_may_change_on_the_way(store: Store) -> None:
    collection = create(store, FAKE)
    fill(collection, np.random.default_rng(6))
    searcher = Searcher(collection, FAKE)
    query = Query([Part(text="red")], limit=3, diversity=0.5)
    first = searcher.search(query)
    second = searcher.search(replace(query, limit=20, cursor=first.next, explain=True))
    assert len(second.hits) == 20
    assert not {hit.id for hit in first.hits} & {hit.id for hit in second.hits}


def test_a_walk_ends_at_its_greatest_depth(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.window.DEEPEST", 50)
    collection = create(store, FAKE)
    random = np.random.default_rng(7)
    store_all(collection, random, [1] * 80)
    query = Query([Part(text="red")], limit=20)
    answers = list(walk(Searcher(collection, FAKE), query))
    assert [len(answer.hits) for answer in answers] == [20, 20, 10]
    assert "a walk ends" in answers[-1].warnings[0]
    assert not answers[0].warnings


RED = Query([Part(text="red")])
OTHERS: dict[str, Query] = {
    "text": Query([Part(text="green")]),
    "weight": Query([Part(text="red", weight=2)]),
    "part": Query([Part(text="red"), Part(text="blue", weight=-0.5)]),
    "kind of part": Query([Part(point=UUID(int=1))]),
    "picture": Query([Part(image=Image.new("RGB", (4, 4), "red"))]),
    "vector": Query([Part(vector=np.ones(48, np.float32))]),
    "filter": replace(RED, filter=Filter.parse({"must_not": [{"has_id": []}]})),
    "group": replace(RED, group=False),
    "candidates": replace(RED, candidates=5),
    "effort": replace(RED, effort=1.0),
    "diversity": replace(RED, diversity=0.5),
    "collapse": replace(RED, collapse=True),
    "vector name": replace(RED, vector="default"),
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_cursor_of_another_query_is_refused(store: Store, change: str) -> None:
    collection = create(store, FAKE)
    cursor = write_cursor(Place((0.0, UUID(int=5))), collection, RED)
    with pytest.raises(InvalidCursor, match="another query"):
        Searcher(collection, FAKE).search(replace(OTHERS[change], cursor=cursor))


def test_a_cursor_of_another_collection_is_refused(store: Store) -> None:
    first, second = create(store, FAKE, "first"), create(store, FAKE, "second")
    cursor = write_cursor(Place(), first, RED)
    with pytest.raises(InvalidCursor, match="another collection than 'second'"):
        Searcher(second, FAKE).search(replace(RED, cursor=cursor))
    store.drop("first")
    with pytest.raises(InvalidCursor, match="created again"):
        Searcher(create(store, FAKE, "first"), FAKE).search(replace(RED, cursor=cursor))


def test_a_cursor_that_was_tampered_with_is_refused(store: Store) -> None:
    collection = create(store, FAKE)
    cursor = write_cursor(Place((-0.5, UUID(int=5)), depth=9), collection, RED)
    assert read_cursor(cursor, collection, RED).depth == 9
    swapped = "B" if cursor[20] != "B" else "C"
    for broken in ("", "x", "ä", cursor[:-2], cursor + "AAAA", cursor[:20] + swapped + cursor[21:]):
        with pytest.raises(InvalidCursor, match="not a complete cursor"):
            read_cursor(broken, collection, RED)


@pytest.mark.parametrize("seed", range(5))
def test_a_cursor_keeps_what_it_is_given(store: Store, seed: int) -> None:
    random = np.random.default_rng(seed)
    collection = create(store, FAKE)
    key = (float(random.normal()), UUID(bytes=random.bytes(16)))
    later = (key[0] + 0.1, UUID(bytes=random.bytes(16)))
    marks = frozenset(random.bytes(8) for _ in range(seed))
    for place in (Place(), Place(key), Place(None, key, 3, marks), Place(key, later, 9999, marks)):
        cursor = write_cursor(place, collection, RED)
        assert read_cursor(cursor, collection, replace(RED, cursor=cursor, limit=3)) == place
