from uuid import uuid4

import numpy as np
import pytest

from encoders import unit
from indexer import Record
from retrieval.evaluate import exact
from retrieval.evaluate.exact import Exact


@pytest.mark.parametrize("seed", [1, 2])
def test_pages_give_what_one_look_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "KEPT", 40)
    random = np.random.default_rng(seed)
    rows, queries = (unit(random.standard_normal((n, 8))) for n in (300, 5))
    records = [
        Record(uuid4(), f"asset {at // 3}", {}, {"c": row} if at % 7 else {})
        for at, row in enumerate(rows)
    ]
    found = Exact(queries)
    for start in range(0, 300, 37):
        found.see(records[start : start + 37], "c")
    for number, query in enumerate(queries):
        order = sorted((at for at in range(300) if at % 7), key=lambda at: -(rows[at] @ query))
        best = list(dict.fromkeys(f"asset {at // 3}" for at in order))
        assert found.assets(number, 10) == best[:10]


def test_an_empty_collection_has_no_best() -> None:
    found = Exact(np.eye(2, dtype=np.float32))
    found.see([Record(uuid4(), "a", {}, {})], "c")
    assert found.assets(0, 10) == []
