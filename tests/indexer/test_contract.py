"""What every store promises, checked against the plain model."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from indexer import (
    AssetWrite,
    Collection,
    CollectionExists,
    Filter,
    Hit,
    InvalidFilter,
    InvalidName,
    InvalidPoint,
    InvalidQuery,
    LedgerRow,
    LocalCollection,
    Point,
    Schema,
    Store,
    UnknownCollection,
    point_id,
)
from tests.indexer.model import Json, Model, assert_same, unit
from tests.indexer.operations import SCHEMA, Generator
from tests.indexer.sealing import SealingCollection


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.create("photos", SCHEMA)


def a_point(asset: str = "file:///a.jpg", start: int = 0, **payload: Json) -> Point:
    random = np.random.default_rng(list(f"{asset} {start}".encode()))
    vectors = {"c": unit(random.normal(size=12))}
    return Point(point_id(asset, "segment", start), asset, vectors, payload)


def check_hits(hits: list[Hit], expected: dict[UUID, float], limit: int) -> None:
    """The best of `expected`, in order, whichever of those that tie."""
    best = sorted(expected.values(), reverse=True)[:limit]
    assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-5)
    assert len({hit.id for hit in hits}) == len(hits)
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.id], abs=1e-5)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))


@pytest.mark.parametrize("seed", range(12))
def test_random_operations_keep_to_the_model(collection: Collection, seed: int) -> None:
    # Qdrant compares doubles, so there greater bounds are refused.
    bound = 2**62 if isinstance(collection, LocalCollection) else 2**52
    generator, model = Generator(seed, bound=bound), Model()
    for _ in range(25):
        kind, operation = generator.operation(model)
        assert operation(collection) == operation(model), kind
        tree, name = generator.filter(), generator.random.choice(["c", "g"])
        assert collection.count(tree) == len(model.select(tree)), tree
        query = generator.vector(SCHEMA.vectors[name])
        limit = generator.random.choice([1, 3, 20])
        result = collection.search(query, vector=name, filter=tree, limit=limit)
        check_hits(result.hits, model.scores(query, name, tree), limit)
        for hit in result.hits:
            stored = model.points[hit.id]
            assert (hit.asset, hit.payload) == (stored.asset, stored.payload)
    assert_same(collection, model)
    if isinstance(collection, SealingCollection):
        assert collection.ways["segments"]


def test_scroll_pages_through_matches_in_id_order(collection: Collection) -> None:
    points = [a_point(f"file:///{number}", odd=number % 2 == 1) for number in range(95)]
    collection.upsert(points)
    odd = Filter.parse({"must": [{"key": "odd", "match": {"value": True}}]})
    rare = Filter.parse({"must": [{"has_id": [str(points[3].id), str(points[9].id)]}]})
    for tree, chosen in ((None, points), (odd, points[1::2]), (rare, [points[3], points[9]])):
        expected = sorted(point.id for point in chosen)
        seen, after = [], None
        while True:
            page = collection.scroll(tree, limit=10, after=after)
            seen += [record.id for record in page.records]
            assert len(page.records) == 10 or page.next is None
            after = page.next
            if after is None:
                break
        assert seen == expected


def test_equal_scores_come_in_id_order(collection: Collection) -> None:
    same = np.ones(12, np.float32)
    points = [Point(point_id(f"a{n}", "image"), f"a{n}", {"c": same}) for n in range(300)]
    collection.upsert(points)
    hits = collection.search(same, vector="c", limit=50).hits
    assert [hit.id for hit in hits] == sorted(point.id for point in points)[:50]
    assert len({hit.score for hit in hits}) == 1
    assert hits[0].score == pytest.approx(1, abs=1e-6)


def test_get_keeps_the_order_asked_for(collection: Collection) -> None:
    a, b = a_point("a", x=1), a_point("b", x=[{"y": None}])
    collection.upsert([a, b])
    records = collection.get([b.id, point_id("none", "text"), a.id, b.id], with_vectors=["c", "g"])
    assert [record.id for record in records] == [b.id, a.id, b.id]
    assert [record.payload for record in records[:2]] == [b.payload, a.payload]
    assert [list(record.vectors) for record in records] == [["c"]] * 3


def test_an_upsert_replaces_the_whole_point(collection: Collection) -> None:
    old = a_point(x=1, y=2)
    both = Point(old.id, old.asset, {**old.vectors, "g": np.ones(5, np.float32)}, old.payload)
    collection.upsert([both])
    collection.upsert([Point(old.id, "elsewhere", {"c": -old.vectors["c"]}, {"z": 3})])
    [record] = collection.get([old.id], with_vectors=["c", "g"])
    assert (record.asset, record.payload) == ("elsewhere", {"z": 3})
    assert list(record.vectors) == ["c"]
    assert collection.search(np.ones(5, np.float32), vector="g").hits == []


def test_a_replacement_removes_what_is_not_in_it(collection: Collection) -> None:
    before = [a_point("video", start) for start in (0, 1000, 2000)]
    collection.upsert([*before, a_point("other")])
    after = [a_point("video", 1000, new=True), a_point("video", 9000)]
    row = LedgerRow("video", "done", points=2, updated=5.0)
    collection.replace([AssetWrite("video", after, row)])
    expected = Model()
    expected.upsert([*after, a_point("other")])
    expected.ledger["video"] = row
    assert_same(collection, expected)


def test_a_key_set_to_null_is_there(collection: Collection) -> None:
    one, other = a_point("a", x=1), a_point("b")
    collection.upsert([one, other])
    assert collection.set_payload(Filter(), {"x": None, "y": {"z": None}}) == 2
    records = collection.get([one.id, other.id])
    assert [record.payload for record in records] == [{"x": None, "y": {"z": None}}] * 2


def test_staged_points_are_in_no_read_until_their_asset_is_whole(collection: Collection) -> None:
    old = a_point("video", 0, new=False)
    collection.upsert([old])
    staged = [a_point("video", start, new=True) for start in (0, 1000, 2000)]
    collection.stage(staged[:2])
    collection.stage([*staged[1:], a_point("other")])
    found = {point.id: point.payload for point in staged}
    assert {record.id: record.payload for record in collection.staged("video")} == found
    expected = Model()
    expected.upsert([old])
    assert collection.count(Filter.parse({"must": [{"key": "new", "match": {"value": True}}]})) == 0
    assert collection.get([staged[1].id]) == []
    assert len(collection.search(np.ones(12, np.float32), vector="c").hits) == 1
    row = LedgerRow("video", "done", points=2, updated=5.0)
    bare = Point(staged[1].id, "video", {}, {"kept": 1})
    collection.replace([AssetWrite("video", [bare, a_point("video", 5000)], row)])
    expected.replace(
        [
            AssetWrite(
                "video", [replace(staged[1], payload={"kept": 1}), a_point("video", 5000)], row
            )
        ]
    )
    expected.stage([a_point("other")])
    assert_same(collection, expected)
    query = collection.search(staged[1].vectors["c"], vector="c", limit=1)
    assert query.hits[0].id == staged[1].id


def test_a_point_without_vectors_must_be_staged(collection: Collection) -> None:
    collection.stage([a_point("video", 0)])
    writes = [
        AssetWrite("video", [Point(point_id("video", "segment", start), "video", {})], row)
        for start, row in [(1000, LedgerRow("video", "done"))]
    ]
    with pytest.raises(InvalidPoint, match="none is staged"):
        collection.replace(writes)
    assert collection.count() == 0
    assert len(collection.staged("video")) == 1
    assert collection.ledger.counts()["done"] == 0
    with pytest.raises(InvalidPoint):
        collection.stage([Point(point_id("a", "image"), "a", {})])


def test_vectors_are_scaled_to_unit_norm_once(collection: Collection) -> None:
    random = np.random.default_rng(3)
    scales = [1e-38, 1e-20, 0.5, 1.0000003, 1, 2, 1e20, 1e38]
    vectors = [random.normal(size=12).astype(np.float32) * np.float32(scale) for scale in scales]
    vectors += [random.normal(size=12), random.normal(size=12).astype(np.float16)]
    ids = [point_id(str(number), "image") for number in range(len(vectors))]
    collection.upsert([Point(k, "a", {"c": v}) for k, v in zip(ids, vectors, strict=True)])
    for record, vector in zip(collection.get(ids, with_vectors=["c"]), vectors, strict=True):
        exact = vector.astype(np.float64)
        np.testing.assert_allclose(
            record.vectors["c"], exact / np.linalg.norm(exact), rtol=0, atol=5e-7
        )


def test_vectors_that_are_unit_are_kept_bit_for_bit(collection: Collection) -> None:
    points = [a_point(str(number)) for number in range(50)]
    collection.upsert(points)
    first = collection.get([point.id for point in points], with_vectors=["c"])
    collection.upsert([Point(r.id, r.asset, r.vectors) for r in first])
    second = collection.get([point.id for point in points], with_vectors=["c"])
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.vectors["c"], two.vectors["c"])


BAD_VECTORS: dict[str, Any] = {
    "wrong dimension": np.ones(11, np.float32),
    "a matrix": np.ones((1, 12), np.float32),
    "NaN": np.full(12, np.nan, np.float32),
    "infinite": np.array([np.inf] + [1] * 11, np.float32),
    "too large for float32": np.full(12, 1e300),
    "zero": np.zeros(12, np.float32),
    "integers": np.ones(12, np.int64),
    "booleans": np.ones(12, np.bool_),
    "a list": [1.0] * 12,
    "complex": np.ones(12, np.complex64),
}


@pytest.mark.parametrize("bad", BAD_VECTORS)
def test_a_bad_vector_refuses_its_whole_batch(collection: Collection, bad: str) -> None:
    broken = Point(point_id("b", "image"), "b", {"c": BAD_VECTORS[bad]})
    with pytest.raises(InvalidPoint, match=str(broken.id)):
        collection.upsert([a_point("a"), broken, a_point("c")])
    with pytest.raises(InvalidPoint, match=str(broken.id)):
        collection.replace([AssetWrite("b", [broken], LedgerRow("b", "done"))])
    assert_same(collection, Model())


BAD_PAYLOADS: dict[str, Any] = {
    "a set": {"x": {1}},
    "NaN": {"x": [float("nan")]},
    "infinity": {"x": float("inf")},
    "a numpy number": {"x": np.float32(1)},
    "a key that is no text": {"x": {1: 2}},
    "a lone surrogate": {"x": "\ud800"},
    "not an object": ["x"],
    "too large": {"x": "y" * (1 << 20)},
    "bytes": {"x": b"y"},
}


@pytest.mark.parametrize("bad", BAD_PAYLOADS)
def test_a_bad_payload_is_refused_everywhere(collection: Collection, bad: str) -> None:
    good = a_point("a")
    collection.upsert([good])
    broken = Point(point_id("b", "image"), "b", good.vectors, BAD_PAYLOADS[bad])
    with pytest.raises(InvalidPoint):
        collection.upsert([a_point("c"), broken])
    with pytest.raises(InvalidPoint):
        collection.set_payload([good.id], BAD_PAYLOADS[bad])
    model = Model()
    model.upsert([good])
    assert_same(collection, model)


def test_payloads_may_not_outgrow_the_limit_by_edits(collection: Collection) -> None:
    point = a_point(big="x" * 600_000)
    collection.upsert([point])
    with pytest.raises(InvalidPoint, match="bytes"):
        collection.set_payload([point.id], {"more": "x" * 600_000})
    assert collection.get([point.id])[0].payload == point.payload


def loosely(value: object) -> Any:  # noqa: ANN401 - what a caller without types may pass
    return value


BAD_IDS: list[Any] = ["", "x" * 10_000, str(UUID(int=1)), 7, None]


def test_bad_points_are_refused(collection: Collection) -> None:
    good = a_point()
    for broken, words in [
        (Point(good.id, "", good.vectors), "asset"),
        (Point(good.id, "  ", good.vectors), "asset"),
        (Point(good.id, "\udcff.jpg", good.vectors), "Unicode"),
        (Point(good.id, "a" * 65_537, good.vectors), "65537 bytes"),
        *((Point(bad, "a", good.vectors), "must be a UUID") for bad in BAD_IDS),
        (Point(good.id, "a", {}), "no vector"),
        (Point(good.id, "a", loosely([1.0] * 12)), "must map names to arrays, not be list"),
        (loosely({"id": good.id}), "must be a Point"),
        (Point(good.id, "a", {"nope": good.vectors["c"]}), "the names are: c, g"),
    ]:
        with pytest.raises(InvalidPoint, match=words) as caught:
            collection.upsert([a_point("before"), broken])
        assert len(str(caught.value)) < 300
    with pytest.raises(InvalidPoint, match="twice"):
        collection.upsert([good, good])
    with pytest.raises(InvalidPoint, match="not 'b'"):
        collection.replace([AssetWrite("b", [good], LedgerRow("b", "done"))])
    with pytest.raises(InvalidPoint, match="ledger row"):
        collection.replace([AssetWrite("b", [], LedgerRow("c", "done"))])
    twice = [AssetWrite("b", [], LedgerRow("b", "done"))] * 2
    with pytest.raises(InvalidPoint, match="twice"):
        collection.replace(twice)
    assert_same(collection, Model())


BAD_ROWS: dict[str, Any] = {
    "status": "finished",
    "reason": None,
    "size": 2**63,
    "mtime_ns": 1.5,
    "points": "2",
    "attempts": True,
    "updated": float("nan"),
    "seconds": float("inf"),
    "metadata": "\ud800",
}


def test_a_bad_ledger_row_refuses_its_points_too(collection: Collection) -> None:
    good = AssetWrite("a", [a_point("a")], LedgerRow("a", "done"))
    for name, value in BAD_ROWS.items():
        row = replace(LedgerRow("b", "done"), **{name: value})
        with pytest.raises(InvalidPoint, match=f"'b': .*{name}"):
            collection.replace([good, AssetWrite("b", [a_point("b")], row)])
        with pytest.raises(InvalidPoint, match=name):
            collection.ledger.record([row])
    assert_same(collection, Model())


def test_what_is_no_batch_is_refused(collection: Collection) -> None:
    row, point = LedgerRow("a", "done"), a_point("a")
    wrong: list[Json] = [None, [None], "a", [point, None], iter([]), 7]
    for bad in wrong:
        for write in (
            collection.upsert,
            collection.stage,
            collection.replace,
            collection.ledger.record,
            lambda points: collection.replace([AssetWrite("a", points, row)]),
        ):
            with pytest.raises(InvalidPoint, match=r"Point|AssetWrite|LedgerRow"):
                write(loosely(bad))
    with pytest.raises(InvalidPoint, match="LedgerRow"):
        collection.replace([AssetWrite("a", [point], loosely(None))])
    for vectors in (None, [point.id], 7):
        with pytest.raises(InvalidPoint, match="map ids"):
            collection.set_vectors(loosely(vectors))
    assert_same(collection, Model())


def test_what_the_ledger_cannot_have_is_not_looked_up(collection: Collection) -> None:
    ledger = collection.ledger
    for bad in (None, "a", [None], [b"a"], [["a"]], ["\ud800"], iter(["a"])):
        for call in (ledger.get, ledger.by_hash, ledger.remove, collection.staged):
            with pytest.raises(InvalidQuery, match=r"texts|Unicode") as caught:
                call(loosely([bad] if call == collection.staged else bad))
            assert len(str(caught.value)) < 300
    for status in ("finished", "\ud800", ["done"], 1):
        with pytest.raises(InvalidQuery, match="done, skipped, failed"):
            ledger.rows(loosely(status))


def test_half_a_surrogate_pair_is_no_filter() -> None:
    for key, value in (("\ud800", 1), ("a", "\udfff")):
        with pytest.raises(InvalidFilter, match="valid Unicode"):
            Filter.parse({"must": [{"key": key, "match": {"value": value}}]})


def test_what_selects_no_points_is_refused(collection: Collection) -> None:
    """Ids as text would be found by one engine and not by another."""
    point = a_point(x=1)
    collection.upsert([point])
    for bad in (*([one] for one in BAD_IDS), str(point.id), iter([point.id]), None, 7):
        ids = loosely(bad)
        for call in (
            lambda ids=ids: collection.delete(ids),
            lambda ids=ids: collection.get(ids),
            lambda ids=ids: collection.set_payload(ids, {"y": 1}),
            lambda ids=ids: collection.delete_payload(ids, ["x"]),
        ):
            with pytest.raises(InvalidQuery, match="UUID") as caught:
                call()
            assert len(str(caught.value)) < 300
    for bad in ("x", [1], None):
        with pytest.raises(InvalidQuery, match="text"):
            collection.delete_payload([point.id], loosely(bad))
    with pytest.raises(InvalidQuery, match="UUID"):
        collection.scroll(after=loosely(str(point.id)))
    with pytest.raises(InvalidQuery, match="text"):
        collection.find_text(loosely(None))
    model = Model()
    model.upsert([point])
    assert_same(collection, model)


def test_a_filter_that_was_not_parsed_is_refused(collection: Collection) -> None:
    tree = loosely({"must": [{"key": "x", "match": {"value": 1}}]})
    query = np.ones(12, np.float32)
    for call in (
        lambda: collection.count(tree),
        lambda: collection.scroll(tree),
        lambda: collection.search(query, vector="c", filter=tree),
        lambda: collection.find_text("x", filter=tree),
    ):
        with pytest.raises(InvalidFilter, match=r"Filter\.parse"):
            call()


def test_long_assets_are_kept_and_found(collection: Collection) -> None:
    points = [a_point(f"file:///{letter * 10_000}☹.jpg") for letter in "ab"]
    collection.upsert(points)
    tree = Filter.parse({"must": [{"key": "asset", "match": {"value": points[1].asset}}]})
    assert [record.asset for record in collection.scroll(tree).records] == [points[1].asset]
    collection.replace([AssetWrite(points[0].asset, [], LedgerRow(points[0].asset, "skipped"))])
    assert [record.asset for record in collection.scroll().records] == [points[1].asset]


def test_empty_batches_change_nothing(collection: Collection) -> None:
    collection.upsert([])
    collection.replace([])
    collection.ledger.record([])
    assert collection.delete([]) == 0
    assert_same(collection, Model())


def test_queries_that_cannot_be_answered_are_refused(collection: Collection) -> None:
    query = np.ones(12, np.float32)
    for limit in (0, -1, 10_001, 1_000_000, True):
        with pytest.raises(InvalidQuery, match="limit"):
            collection.search(query, vector="c", limit=limit)
        with pytest.raises(InvalidQuery, match="limit"):
            collection.scroll(limit=limit)
    bad: list[Json] = [np.ones(5, np.float32), query * np.nan, query * 0, query.astype(np.int32)]
    for vector in bad:
        with pytest.raises(InvalidQuery, match="query"):
            collection.search(vector, vector="c")
    with pytest.raises(InvalidQuery, match="the names are: c, g"):
        collection.search(query)
    with pytest.raises(InvalidQuery, match="the names are: c, g"):
        collection.get([], with_vectors=["x"])


def test_a_field_that_no_point_has_matches_nothing_and_is_named(collection: Collection) -> None:
    collection.upsert([a_point("a", colour="red", tags=[])])
    query = np.ones(12, np.float32)
    typo = Filter.parse({"must": [{"key": "color", "match": {"value": "red"}}]})
    result = collection.search(query, vector="c", filter=typo)
    assert result.hits == []
    [warning] = result.warnings
    assert "'color'" in warning
    unlike = Filter.parse({"must_not": [{"key": "color", "match": {"value": "red"}}]})
    assert len(collection.search(query, vector="c", filter=unlike).hits) == 1
    good = Filter.parse({"must": [{"key": "colour", "match": {"value": "red"}}]})
    assert collection.search(query, vector="c", filter=good).warnings == []


CITIES = {"Berlin": (52.52, 13.405), "Potsdam": (52.39, 13.065), "Moscow": (55.7558, 37.6173),
          "Suva": (-18.1416, 178.4419), "Apia": (-13.8333, -171.7667), "pole": (90.0, 0.0),
          "near the pole": (89.5, -135.0)}  # fmt: skip
AREAS: list[tuple[Json, set[str]]] = [
    # Berlin is 27.2 km from Potsdam and 1610 km from Moscow, Suva 1152 km from Apia.
    ({"geo_radius": {"center": {"lat": 52.39, "lon": 13.065}, "radius": 27_000}}, {"Potsdam"}),
    ({"geo_radius": {"center": {"lat": 52.39, "lon": 13.065}, "radius": 27_500}},
     {"Potsdam", "Berlin"}),
    ({"geo_radius": {"center": {"lat": 55.7558, "lon": 37.6173}, "radius": 1_700_000}},
     {"Potsdam", "Berlin", "Moscow"}),
    ({"geo_radius": {"center": {"lat": -18.1416, "lon": 178.4419}, "radius": 1_160_000}},
     {"Suva", "Apia"}),
    ({"geo_radius": {"center": {"lat": -18.1416, "lon": 178.4419}, "radius": 1_140_000}}, {"Suva"}),
    ({"geo_radius": {"center": {"lat": 89.5, "lon": 45}, "radius": 112_000}},
     {"pole", "near the pole"}),
    ({"geo_bounding_box": {"top_left": {"lat": 0, "lon": 170},
                           "bottom_right": {"lat": -30, "lon": -170}}}, {"Suva", "Apia"}),
    ({"geo_bounding_box": {"top_left": {"lat": 0, "lon": -175},
                           "bottom_right": {"lat": -30, "lon": -170}}}, {"Apia"}),
    ({"geo_bounding_box": {"top_left": {"lat": 60, "lon": 13.2},
                           "bottom_right": {"lat": 50, "lon": 40}}}, {"Berlin", "Moscow"}),
    ({"geo_bounding_box": {"top_left": {"lat": 90, "lon": -180},
                           "bottom_right": {"lat": 80, "lon": 180}}}, {"near the pole"}),
]  # fmt: skip


def test_places_are_found_across_the_date_line_and_at_the_poles(collection: Collection) -> None:
    collection.upsert([
        a_point(name, exif={"location": {"lat": lat, "lon": lon}})
        for name, (lat, lon) in CITIES.items()
    ])  # fmt: skip
    for area, expected in AREAS:
        tree = Filter.parse({"must": [{"key": "exif.location", **area}]})
        assert {record.asset for record in collection.scroll(tree).records} == expected, area


def test_an_empty_collection_answers(collection: Collection) -> None:
    assert collection.search(np.ones(12, np.float32), vector="c").hits == []
    assert collection.scroll().records == []
    assert collection.count(Filter()) == 0
    assert collection.ledger.counts() == {"done": 0, "skipped": 0, "failed": 0}


def test_the_ledger_keeps_the_latest_outcome_of_each_asset(collection: Collection) -> None:
    ledger = collection.ledger
    done = [
        LedgerRow(f"a{n:04}", "done", content_hash=f"h{n % 3}", source=f"s{n % 2}")
        for n in range(2100)
    ]
    ledger.record(done)
    ledger.record([LedgerRow("a0000", "failed", "broken", content_hash="h0", updated=3.5)])
    assert [row.asset for row in ledger.rows()] == [row.asset for row in done]
    assert [row.asset for row in ledger.rows("failed")] == ["a0000"]
    assert [row.asset for row in ledger.rows("done", "a2097")] == ["a2098", "a2099"]
    assert list(ledger.sources()) == [(row.asset, row.source) for row in ledger.rows()]
    assert ledger.counts() == {"done": 2099, "skipped": 0, "failed": 1}
    found = ledger.get(["a0000", "none"])
    assert found == {
        "a0000": LedgerRow("a0000", "failed", "broken", content_hash="h0", updated=3.5)
    }
    by_hash = ledger.by_hash(["h0", "h1", "none"])
    assert {key: row.asset for key, row in by_hash.items()} == {"h0": "a0003", "h1": "a0001"}
    assert ledger.get(["a0001"])["a0001"].updated > 1_700_000_000
    with pytest.raises(InvalidPoint):
        ledger.record([LedgerRow("", "done")])
    ledger.remove(["a0001", "none"])
    assert len(ledger.get(["a0001", "a0002"])) == 1


def test_the_ledger_adds_up_the_points(collection: Collection) -> None:
    assert collection.ledger.points() == 0
    collection.ledger.record([LedgerRow("a", "done", points=2), LedgerRow("b", "failed", points=3)])
    assert collection.ledger.points() == 5


def test_collections_are_made_listed_opened_and_dropped(store: Store) -> None:
    assert store.names() == []
    made = store.create("b", SCHEMA)
    store.create("a", Schema({"default": 3}))
    assert (made.name, made.schema) == ("b", SCHEMA)
    assert store.names() == ["a", "b"]
    assert store.open("b").schema == SCHEMA
    with pytest.raises(CollectionExists, match="'a'"):
        store.create("a", SCHEMA)
    store.drop("a")
    assert store.names() == ["b"]
    with pytest.raises(UnknownCollection, match="there are: b"):
        store.open("a")
    with pytest.raises(UnknownCollection):
        store.drop("a")
    again = store.create("a", SCHEMA)
    again.upsert([a_point()])
    assert again.count() == 1


NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc",
    "a\\b",
    "A",
    "a b",
    "a\n",
    "é",
    "-a",
    "x" * 65,
    "a\0",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_could_leave_the_folder_are_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidName):
        store.create(name, SCHEMA)
    with pytest.raises(InvalidName):
        store.open(name)
    with pytest.raises(InvalidName):
        store.drop(name)


@pytest.mark.parametrize("vectors", [{}, {"../x": 3}, {"a": 0}, {"a": -1}, {"a": 10**9}, {"": 3}])
def test_vector_names_and_dimensions_are_checked(store: Store, vectors: dict[str, int]) -> None:
    with pytest.raises(InvalidName):
        store.create("a", Schema(vectors))
    assert store.names() == []
