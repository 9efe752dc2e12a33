"""The exact scan against a plain sort, over several files, with dead rows, ties and filters."""

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.errors import CollectionDamaged
from indexer.local.scan import exact_scores, scan
from indexer.local.view import Rows, Vectors
from indexer.points import unit

Floats = NDArray[np.float32]


def vectors(rows: Floats, *cuts: int) -> Vectors:
    parts = np.split(rows, cuts)
    numbers = np.arange(len(rows)) * 3 + 1
    return Vectors(Rows(numbers, np.ones(len(rows), np.bool_)), dict(enumerate(parts)))


def some_rows(count: int, dim: int = 24) -> Floats:
    return unit(np.random.default_rng(count).normal(size=(count, dim)).astype(np.float32))


@pytest.mark.parametrize("share", [1.0, 0.6, 0.1, 0.01])
@pytest.mark.parametrize("limit", [1, 10, 400])
def test_the_best_are_among_the_candidates(share: float, limit: int) -> None:
    rows = some_rows(5000)
    query = some_rows(1)[0]
    wanted = np.random.default_rng(1).random(5000) < share
    held = vectors(rows, 700, 701, 4000)
    found = scan(held, query, wanted, limit)
    exact = rows.astype(np.float64) @ query.astype(np.float64)
    best = [int(i) for i in np.argsort(-exact) if wanted[i]][:limit]
    assert set(best) <= set(found.tolist())
    assert wanted[found].all()
    assert len(found) <= limit + 3
    np.testing.assert_allclose(exact_scores(held, query, found), exact[found], atol=1e-12)


def test_equal_vectors_score_equal_wherever_they_stand() -> None:
    rows = some_rows(3000, 37)
    rows[::7] = rows[5]
    query = some_rows(1, 37)[0]
    held = vectors(rows, 11, 2048)
    places = np.arange(0, 3000, 7)
    assert len(set(exact_scores(held, query, places).tolist())) == 1
    assert exact_scores(held, query, places[:1]) == exact_scores(held, query, places)[0]
    everything = np.ones(3000, np.bool_)
    found = scan(held, rows[5], everything, 3)
    assert set(found.tolist()) >= set(places.tolist())


def test_nothing_wanted() -> None:
    nothing = np.zeros(100, np.bool_)
    assert scan(vectors(some_rows(100)), some_rows(1)[0], nothing, 10).tolist() == []


def test_what_is_not_a_number_is_damage() -> None:
    rows = some_rows(100)
    rows[3, 3] = np.nan
    with pytest.raises(CollectionDamaged, match="NaN"):
        scan(vectors(rows), some_rows(1)[0], np.ones(100, np.bool_), 5)
