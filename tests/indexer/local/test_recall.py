"""Recall of sealed segments, against exact search: images, texts, filters, data of two shapes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer import Filter, IndexOptions, LocalCollection, LocalStore, Point, Schema, point_id
from indexer.local.approximate import Effort
from indexer.local.calibrate import Look, _recalls
from indexer.local.options import IndexKind
from indexer.local.trial import Queries

Floats = NDArray[np.float32]
ROWS, DIM, QUERIES = 6000, 96, 100
CASES = [
    *[(kind, "clustered") for kind in ("rabitq", "ivf-rabitq", "ivf-sq8", "sq8")],
    *[(kind, "unclustered") for kind in ("rabitq", "ivf-rabitq")],
]
LONG = [("hnsw-sq8", "clustered"), ("hnsw-sq8", "unclustered"), ("ivf-sq8", "unclustered")]
FILTERS = {"0.1 %": 1, "1 %": 10, "10 %": 100, "50 %": 500}


def data(shape: str) -> Floats:
    """Unit vectors with a common offset: uneven clusters, or one cloud; noise that fades."""
    random = np.random.default_rng(7)
    fading = np.arange(1, DIM + 1) ** -0.4
    centres = random.normal(size=(60, DIM)) * (1.0 if shape == "clustered" else 0.0)
    owners = random.choice(60, ROWS, p=random.dirichlet(np.full(60, 0.5)))
    noise = random.normal(size=(ROWS, DIM)) * fading * np.sqrt(DIM) / np.linalg.norm(fading)
    return unit(centres[owners] + noise + 0.5 * random.normal(size=DIM))


def image_queries(vectors: Floats) -> Floats:
    random = np.random.default_rng(8)
    chosen = vectors[random.choice(ROWS, QUERIES, replace=False)]
    return unit(chosen + 0.5 * unit(random.normal(size=chosen.shape)))


def text_queries(vectors: Floats) -> Floats:
    """Between two stored vectors, and far away from both: at a cosine of about 0.4."""
    random = np.random.default_rng(9)
    chosen = vectors[random.choice(ROWS, 2 * QUERIES, replace=False)]
    gap, noise = unit(random.normal(size=(1, DIM))), unit(random.normal(size=(QUERIES, DIM)))
    return unit(0.4 * unit(chosen[:QUERIES] + 0.4 * chosen[QUERIES:]) + 0.7 * gap + 0.5 * noise)


def unit(rows: NDArray[Any]) -> Floats:
    scaled: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


@pytest.fixture(
    scope="module",
    params=[*CASES, *(pytest.param(case, marks=pytest.mark.long) for case in LONG)],
    ids="-".join,
)
def sealed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalCollection, Floats]]:
    kind: IndexKind
    kind, shape = request.param
    options = IndexOptions(kind, tail_rows=1 << 40, gather_rows=0, threads=1)
    store = LocalStore(tmp_path_factory.mktemp("recall"), index=options)
    collection = store.create("photos", Schema({"c": DIM}))
    vectors = data(shape)
    collection.upsert(
        [
            Point(point_id(str(n), "image"), str(n), {"c": vector}, {"mille": n * 7 % 1000})
            for n, vector in enumerate(vectors)
        ]
    )
    collection.seal()
    assert collection.index_info()[0].tail == 0
    yield collection, vectors
    store.close()


def recall(
    collection: LocalCollection, queries: Floats, k: int, tree: Filter | None = None
) -> tuple[float, set[str]]:
    shares, ways = [], set()
    for query in queries:
        found = collection.search(query, vector="c", limit=k, filter=tree)
        exact = collection.search(query, vector="c", limit=k, filter=tree, effort=1)
        assert len(found.hits) == len(exact.hits)
        scores = {hit.id: hit.score for hit in exact.hits}
        assert all(scores.get(hit.id, hit.score) == hit.score for hit in found.hits)
        shares.append(len(scores.keys() & {hit.id for hit in found.hits}) / len(scores))
        ways.add(found.way)
    return float(np.mean(shares)), ways


Sealed = tuple[LocalCollection, Floats]


@pytest.mark.parametrize("make", [image_queries, text_queries])
@pytest.mark.parametrize("k", [10, 30])
def test_recall_at_the_default_effort(sealed: Sealed, make: Any, k: int) -> None:  # noqa: ANN401
    collection, vectors = sealed
    found, ways = recall(collection, make(vectors), k)
    assert found >= 0.98, ways


@pytest.mark.parametrize("share", FILTERS)
@pytest.mark.parametrize("make", [image_queries, text_queries])
def test_recall_with_a_filter(sealed: Sealed, make: Any, share: str) -> None:  # noqa: ANN401
    collection, vectors = sealed
    tree = Filter.parse({"must": [{"key": "mille", "range": {"lt": FILTERS[share]}}]})
    found, ways = recall(collection, make(vectors)[:50], 5, tree)
    assert found >= (1.0 if "1 %" in share else 0.98), ways
    assert ("filter" in ways) == (share in ("0.1 %", "1 %"))


def test_more_effort_finds_more(sealed: Sealed) -> None:
    collection, vectors = sealed
    queries = text_queries(vectors)

    def found(effort: float) -> float:
        shares = []
        for query in queries:
            some = collection.search(query, vector="c", effort=effort).hits
            exact = collection.search(query, vector="c", effort=1).hits
            shares.append(len({hit.id for hit in some} & {hit.id for hit in exact}) / 10)
        return float(np.mean(shares))

    shares = [found(effort) for effort in (0, 0.5, 0.99, 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def kinds(collection: LocalCollection, queries: Floats) -> NDArray[np.int64]:
    with collection._engine().snapshot() as snapshot:
        [segment] = snapshot.sealed["c"].segments
        return np.array(
            [segment.record.calibration.kind(segment.products(query)) for query in queries]
        )


def test_a_query_far_away_is_not_taken_for_one_among_the_vectors(sealed: Sealed) -> None:
    assert np.mean(kinds(sealed[0], text_queries(sealed[1])) == 2) < 0.05


@pytest.mark.parametrize("sealed", [("ivf-rabitq", "clustered")], ids="-".join, indirect=True)
def test_a_query_among_the_vectors_is_known(sealed: Sealed) -> None:
    assert np.mean(kinds(sealed[0], image_queries(sealed[1])) == 2) > 0.6


@pytest.mark.parametrize("sealed", [("ivf-rabitq", "clustered")], ids="-".join, indirect=True)
def test_a_query_among_the_vectors_costs_less(sealed: Sealed) -> None:
    calibration = sealed[0].index_info()[0].segments[0].calibration
    levels = calibration.tiers[10]
    chosen = [Effort().level(calibration.levels(10, kind), 0.98, kind) for kind in range(3)]
    places = [levels.index(level) for level in chosen if level is not None]
    assert len(places) == 3
    assert places == sorted(places, reverse=True)
    assert places[0] > places[-1]


def test_no_query_looks_at_more_lists_than_the_bound() -> None:
    near = np.array([[0.9, 0.1, 0.1, 0.0], [0.3, 0.29, 0.28, 0.0]], np.float32)
    assert Look(1.0, 4).probes(near).tolist() == [1, 3]
    assert Look(1.0, 2).probes(near).tolist() == [1, 2]


def test_what_groups_of_queries_differ_by_is_an_error() -> None:
    """Two groups that find all and half, of 50 queries each: the next may find less than half."""
    found = np.tile(np.arange(10), (100, 1))
    truth = found + np.where(np.arange(100) % 2, 5, 0)[:, None]
    alike = Queries(np.empty((100, 1), np.float32), np.full(100, -1))
    assert _recalls(found, replace(alike, groups=2), truth, [10])[0] < 0.5
    assert 0.65 < _recalls(found, alike, truth, [10])[0] < 0.75
