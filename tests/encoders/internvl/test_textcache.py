"""Remembered text rows."""

import numpy as np

from encoders.internvl.textcache import TextCache


def test_the_least_recently_used_goes_first() -> None:
    cache = TextCache(limit=2)
    rows = {name: np.full(3, index, np.float32) for index, name in enumerate("abc")}
    cache.put({"a": rows["a"], "b": rows["b"]})
    assert cache.get(["a", "z"]).keys() == {"a"}
    cache.put({"c": rows["c"]})
    assert cache.get(["a", "b", "c"]).keys() == {"a", "c"}
    np.testing.assert_array_equal(cache.get(["c"])["c"], rows["c"])
