"""The rows that make a payload searchable, as docs/index.md describes them."""

import math
from typing import Any

import pytest

from indexer import InvalidPoint
from indexer.payload import MAX_BYTES, Entry, encode, entries, scalar_entry

CASES: list[tuple[dict[str, Any], set[Entry]]] = [
    ({}, set()),
    ({"a": None, "b": []}, set()),
    ({"a": "x"}, {("a", "s", "x")}),
    ({"a": True, "b": 1, "c": 1.0}, {("a", "b", 1), ("b", "i", 1), ("c", "f", 1.0)}),
    ({"a": [1, 1, "1", None]}, {("a", "i", 1), ("a", "s", "1"), ("a", "n", 0)}),
    ({"a": {"b": {"c": 2}}}, {("a", "o", 0), ("a.b", "o", 0), ("a.b.c", "i", 2)}),
    ({"a": [{"b": 1}]}, {("a", "o", 0), ("a[].b", "i", 1)}),
    ({"a": {"lat": 0, "lon": -0.0}},
     {("a", "o", 0), ("a", "g", "8000000000000000" * 2), ("a.lat", "i", 0), ("a.lon", "f", 0.0)}),
    ({"a": [{"lat": 1.0, "lon": -180}]},
     {("a", "o", 0), ("a", "g", "bff00000000000003f997fffffffffff"),
      ("a[].lat", "f", 1.0), ("a[].lon", "i", -180)}),
    ({"a": {"lat": 10**400, "lon": 0}},
     {("a", "o", 0), ("a.lat", "f", math.inf), ("a.lon", "i", 0)}),
    ({"a": {"lat": 90.5, "lon": 0}}, {("a", "o", 0), ("a.lat", "f", 90.5), ("a.lon", "i", 0)}),
    ({"a": [[1]]}, {("a", "a", 0)}),
    ({"a.b": 1, "": 2, 'q"': 3}, {('"a.b"', "i", 1), ('""', "i", 2), ('"q\\""', "i", 3)}),
    ({"a": 2**63}, {("a", "f", float(2**63))}),
    ({"a": "1970-01-02"}, {("a", "s", "1970-01-02"), ("a", "t", 86_400_000_000)}),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "expected"), CASES)
def test_entries(payload: dict[str, Any], expected: set[Entry]) -> None:
    found = entries(payload)
    assert found == expected
    assert {(k, t, type(v)) for k, t, v in found} == {(k, t, type(v)) for k, t, v in expected}


def test_long_text_is_found_by_its_hash() -> None:
    [(_, kind, value)] = entries({"a": "x" * 129})
    assert kind == "h"
    assert isinstance(value, bytes)
    assert len(value) == 16
    assert entries({"a": "é" * 64}) == {("a", "s", "é" * 64)}


def test_the_size_limit_counts_bytes() -> None:
    overhead = len('{"a":""}')
    assert len(encode({"a": "é" * ((MAX_BYTES - overhead) // 2)}, "p").encode()) == MAX_BYTES
    with pytest.raises(InvalidPoint, match="more than"):
        encode({"a": "é" * (MAX_BYTES // 2)}, "p")


def test_deep_payloads_are_refused() -> None:
    payload: dict[str, Any] = {}
    for _ in range(100_000):
        payload = {"a": payload}
    with pytest.raises(InvalidPoint, match="deep"):
        encode(payload, "p")


@pytest.mark.parametrize(("value", "stored"), [(10**400, math.inf), (-(10**400), -math.inf)])
def test_integers_beyond_any_float_are_infinite(value: int, stored: float) -> None:
    assert scalar_entry(value) == ("f", stored)
