from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np
import pytest

from indexer import Hit, Payload
from retrieval.candidates import Candidate, Group
from retrieval.diversity import Rows, collapse, diversify
from retrieval.trace import Trace


def groups(count: int, payloads: Mapping[int, Payload] | None = None) -> list[Group]:
    found = []
    for number in range(count):
        payload = (payloads or {}).get(number, {})
        hit = Hit(UUID(int=number), f"asset-{number}", 1 - number / 100, payload)
        found.append(Group(hit.asset, [Candidate(hit, {"default": hit.score})]))
    return found


def rows(*degrees: float) -> Rows:
    """Directions in a plane, one for each group."""
    angles = np.radians(degrees)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return {UUID(int=number): row for number, row in enumerate(unit)}


def order(found: Sequence[Group]) -> list[int]:
    return [group.best.id.int for group in found]


def test_near_duplicates_stand_under_the_best_of_them() -> None:
    trace = Trace()
    kept = collapse(groups(5), rows(0, 3, 60, 1, 63), trace)
    assert order(kept) == [0, 2]
    assert [order(group.duplicates) for group in kept] == [[1, 3], [4]]
    assert trace.stages[0].note == "3 near-duplicates put under other hits"


def test_perceptual_hashes_decide_where_both_have_one() -> None:
    alike = {0: {"phash": "ff00ff00ff00ff00"}, 1: {"phash": "ff00ff00ff00ff01"}}
    other = {2: {"phash": "00ff00ff00ff00ff"}, 3: {"phash": ""}, 4: {"phash": "no hash"}}
    kept = collapse(groups(5, alike | other), rows(0, 40, 0, 0, 90), Trace())
    assert order(kept) == [0, 2, 4]
    assert [order(group.duplicates) for group in kept] == [[1, 3], [], []]


def test_what_has_no_vector_resembles_nothing() -> None:
    assert order(collapse(groups(3), {}, Trace())) == [0, 1, 2]
    assert order(diversify(groups(3), {}, 0.5, [], Trace())) == [0, 1, 2]


def test_the_next_hit_is_unlike_those_before() -> None:
    near = rows(0, 1, 2, 3, 90, 45)
    assert order(diversify(groups(6), near, 0.7, [], Trace())) == [0, 4, 5, 1, 2, 3]
    assert order(diversify(groups(6), near, 1.0, [], Trace()))[:2] == [0, 4]
    assert order(diversify(groups(6), near, 0.01, [], Trace())) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("taken", [0, 1, 5])
def test_going_on_is_the_rest_of_the_same_order(seed: int, taken: int) -> None:
    random = np.random.default_rng(seed)
    vectors = rows(*random.uniform(0, 180, 20))
    whole = diversify(groups(20), vectors, 0.5, [], Trace())
    shown = [group.mark for group in whole[:taken]]
    again = diversify(groups(20), vectors, 0.5, shown, Trace())
    assert order(again)[taken:] == order(whole)[taken:]
