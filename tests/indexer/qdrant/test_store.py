"""What is Qdrant's own: other people's collections, formats, indexes, ledgers, ties, names."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from indexer import (
    AssetWrite,
    CollectionExists,
    Filter,
    InvalidFilter,
    InvalidPoint,
    LedgerRow,
    LocalStore,
    NewerFormat,
    Payload,
    Point,
    StorageError,
    UnknownCollection,
    point_id,
)
from indexer.installation import open_installation
from indexer.parquet import export_collection, import_collection
from indexer.qdrant.options import QdrantOptions
from indexer.qdrant.store import QdrantStore
from tests.indexer.model import Json, Model, assert_same
from tests.indexer.operations import SCHEMA
from tests.indexer.qdrant.loopback import Loopback

VECTOR = np.eye(12, dtype=np.float32)[0]


def a_point(payload: Payload, number: int = 0) -> Point:
    return Point(point_id("a", "segment", number), "a", {"c": VECTOR}, payload)


def test_points_from_before_there_were_words_get_them_by_an_export(
    qdrant: Loopback, tmp_path: Path
) -> None:
    with closing(QdrantStore(qdrant.url, tmp_path)) as store:
        photos = store.create("photos", SCHEMA)
        photos.upsert([a_point({"caption": "a red bicycle"})])
        qdrant.client.delete_payload("photos", ['"caption~"."caption"."word"'], models.Filter())
        assert photos.find_text("bicycle") == []
        export_collection(photos, tmp_path / "export")
        import_collection(store, tmp_path / "export", "again")
        [hit] = store.open("again").find_text("bicycle")
        assert hit.payload == {"caption": "a red bicycle"}


def test_collections_of_others_are_left_alone(qdrant: Loopback, tmp_path: Path) -> None:
    size = models.VectorParams(size=3, distance=models.Distance.COSINE)
    qdrant.client.create_collection("theirs", vectors_config=size, metadata={"owner": "them"})
    store = QdrantStore(qdrant.url, tmp_path)
    store.create("ours", SCHEMA)
    assert store.names() == ["ours"]
    for refused in (store.open, store.drop):
        with pytest.raises(UnknownCollection, match="there are: ours"):
            refused("theirs")
    with pytest.raises(CollectionExists, match="theirs"):
        store.create("theirs", SCHEMA)
    assert qdrant.client.collection_exists("theirs")


def test_a_collection_of_a_newer_version_is_refused(qdrant: Loopback, tmp_path: Path) -> None:
    store = QdrantStore(qdrant.url, tmp_path)
    store.create("photos", SCHEMA)
    qdrant.client.update_collection("photos", metadata={"polylens": {"format": 2}})
    with pytest.raises(NewerFormat, match="format 2"):
        store.open("photos")


def test_fields_are_indexed_when_a_collection_is_made(qdrant: Loopback, tmp_path: Path) -> None:
    options = QdrantOptions(indexes={"exif.taken": "time", "stars": "number"})
    QdrantStore(qdrant.url, tmp_path, options=options).create("photos", SCHEMA)
    assert qdrant.seen.count("PUT /collections/photos/index") == 5
    body = qdrant.bodies["PUT /collections/{name}/index"]
    assert body.field_name == '"stars~"."stars"."num"'
    assert (body.field_schema.type, body.field_schema.on_disk) == ("float", False)


def test_collections_are_made_as_the_options_say(qdrant: Loopback, tmp_path: Path) -> None:
    options = QdrantOptions(
        shards=6, replicas=3, write_consistency=2, on_disk=True, quantization="int8"
    )
    QdrantStore(qdrant.url, tmp_path, options=options).create("photos", SCHEMA)
    body = qdrant.bodies["PUT /collections/{name}"]
    assert (body.shard_number, body.replication_factor, body.write_consistency_factor) == (6, 3, 2)
    assert [(vector.size, vector.on_disk) for vector in body.vectors.values()] == [
        (12, True),
        (5, True),
    ]
    assert body.quantization_config.scalar.type == "int8"
    assert body.quantization_config.scalar.always_ram
    assert qdrant.bodies["PUT /collections/{name}/index"].field_schema.on_disk


def test_what_the_options_leave_open_is_the_servers_choice(
    qdrant: Loopback, tmp_path: Path
) -> None:
    QdrantStore(qdrant.url, tmp_path).create("photos", SCHEMA)
    body = qdrant.bodies["PUT /collections/{name}"]
    assert (body.shard_number, body.replication_factor, body.write_consistency_factor) == (
        None,
    ) * 3
    assert body.quantization_config is None
    replicated = QdrantOptions(replicas=2, quantization="binary")
    QdrantStore(qdrant.url, tmp_path, options=replicated).create("videos", SCHEMA)
    body = qdrant.bodies["PUT /collections/{name}"]
    assert (body.replication_factor, body.write_consistency_factor) == (2, 2)
    assert body.quantization_config.binary.always_ram


def test_searches_score_by_the_original_vectors(qdrant: Loopback, tmp_path: Path) -> None:
    options = QdrantOptions(quantization="int8", oversampling=3.5)
    collection = QdrantStore(qdrant.url, tmp_path, options=options).create("photos", SCHEMA)
    collection.upsert([a_point({})])
    collection.search(VECTOR, vector="c")
    [request] = qdrant.bodies["POST /collections/{name}/points/query/batch"].searches
    assert request.params.quantization.rescore
    assert request.params.quantization.oversampling == 3.5
    collection.search(VECTOR, vector="c", params=models.SearchParams(exact=True))
    [request] = qdrant.bodies["POST /collections/{name}/points/query/batch"].searches
    assert request.params == models.SearchParams(exact=True)


def test_requests_are_as_large_as_the_options_say(qdrant: Loopback, tmp_path: Path) -> None:
    collection = QdrantStore(qdrant.url, tmp_path, options=QdrantOptions(batch=4)).create(
        "photos", SCHEMA
    )
    qdrant.seen.clear()
    collection.upsert([a_point({}, number) for number in range(9)])
    assert qdrant.seen == ["PUT /collections/photos/points"] * 3


def test_points_are_sent_in_requests_of_bounded_size(qdrant: Loopback, tmp_path: Path) -> None:
    collection = QdrantStore(qdrant.url, tmp_path).create("photos", SCHEMA)
    for points, expected in (
        ([a_point({}, number) for number in range(1100)], 3),
        ([a_point({"text": "x" * 900_000}, number) for number in range(7)], 3),
    ):
        qdrant.seen.clear()
        collection.upsert(points)
        assert qdrant.seen == ["PUT /collections/photos/points"] * expected
    assert collection.count() == 1100


def test_a_ledger_goes_with_its_collection(tmp_path: Path) -> None:
    store = QdrantStore(":memory:", tmp_path)
    row = LedgerRow("a", "done", updated=1.0)
    store.create("photos", SCHEMA).ledger.record([row])
    store.create("videos", SCHEMA)
    assert list(store.open("photos").ledger.rows()) == [row]
    assert list(store.open("videos").ledger.rows()) == []
    store.drop("photos")
    assert list(store.create("photos", SCHEMA).ledger.rows()) == []


def test_an_older_ledger_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    store = QdrantStore(":memory:", tmp_path)
    made = store.create("photos", SCHEMA)
    made.ledger.record([LedgerRow("a", "done", updated=1.0)])
    with open_installation(tmp_path) as db, db:
        ((table,),) = db.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'ledger%' AND type = 'table'"
        )
        db.execute(f"ALTER TABLE {table} DROP COLUMN seconds")
    row = LedgerRow("b", "done", updated=1.0, source="file:///photos", seconds=0.5)
    made.ledger.record([row])
    assert list(made.ledger.rows()) == [LedgerRow("a", "done", updated=1.0), row]


# The client leaves its lock file open where it refuses.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_keeps_collections(tmp_path: Path) -> None:
    location = str(tmp_path / "qdrant")
    model = Model()
    store = QdrantStore(location, tmp_path)
    points = [a_point({"number": number}, number) for number in range(5)]
    store.create("photos", SCHEMA).upsert(points)
    model.upsert(points)
    with pytest.raises(StorageError, match="already accessed"):
        QdrantStore(location, tmp_path)
    store.close()
    again = QdrantStore(location, tmp_path)
    assert_same(again.open("photos"), model)
    again.close()


def test_a_bound_that_is_no_exact_double_is_refused(tmp_path: Path) -> None:
    collection = QdrantStore(":memory:", tmp_path).create("photos", SCHEMA)
    for bound in (2**53, -(2**62), 1e20):
        tree = Filter.parse({"must": [{"key": "n", "range": {"gte": bound}}]})
        with pytest.raises(InvalidFilter, match="doubles"):
            collection.count(tree)


def test_an_integer_that_would_be_changed_is_refused(tmp_path: Path) -> None:
    collection, model = QdrantStore(":memory:", tmp_path).create("photos", SCHEMA), Model()
    points = [a_point({"n": [2**63 - 1, -(2**63)]})]
    collection.upsert(points)
    model.upsert(points)
    for payload in ({"n": 2**63}, {"a": [{"b": -(2**63) - 1}]}):
        with pytest.raises(InvalidPoint, match="64 bits"):
            collection.upsert([a_point({}, 1), a_point(payload, 2)])
        with pytest.raises(InvalidPoint, match="64 bits"):
            collection.set_payload([points[0].id], payload)
        with pytest.raises(InvalidPoint, match="64 bits"):
            collection.stage([a_point({}, 1), a_point(payload, 2)])
    assert_same(collection, model)


NAMES = ["", "~", "a~", "~asset", "asset", "%", "%7E", "a.b", 'a"b', "[]", "a[0]", "é ß", " ", "\\"]


def test_field_names_of_every_kind_are_kept_found_and_removed(tmp_path: Path) -> None:
    collection, model = QdrantStore(":memory:", tmp_path).create("photos", SCHEMA), Model()
    points = [a_point({name: [{name: place}]}, place) for place, name in enumerate(NAMES)]
    everything = a_point(dict.fromkeys(NAMES, "x"), 99)
    for target in (collection, model):
        target.upsert([*points, everything])
    assert_same(collection, model)
    for name in NAMES:
        for target in (collection, model):
            target.delete_payload([everything.id], [name])
            target.set_payload([points[0].id], {name: "y"})
    assert_same(collection, model)


@pytest.mark.parametrize(
    "key", ['"~"', '"a~".x', "%", '"a.b"', '"a\\"b"', '"[]"', "é ß", "~asset", '""', '"', ".", "[]"]
)
def test_keys_of_every_kind_mean_the_same_as_in_a_local_collection(
    tmp_path: Path, key: str
) -> None:
    values: list[Json] = ["x", {"x": "x"}, [], None]
    payloads = [{name: value} for name in NAMES for value in values]
    points = [a_point(payload, place) for place, payload in enumerate(payloads)]
    counts = []
    for store in (LocalStore(tmp_path), QdrantStore(":memory:", tmp_path)):
        collection = store.create("photos", SCHEMA)
        collection.upsert(points)
        trees = [
            {"must": [{"key": key, "match": {"value": "x"}}]},
            {"must": [{"key": key, "match": {"except": []}}]},
            {"must": [{"is_empty": {"key": key}}]},
        ]
        results = [
            collection.search(VECTOR, vector="c", filter=Filter.parse(tree), limit=100)
            for tree in trees
        ]
        counts.append([(len(result.hits), result.warnings) for result in results])
        store.close()
    assert counts[0] == counts[1]


def test_many_equals_are_told_apart_by_their_ids(qdrant: Loopback, tmp_path: Path) -> None:
    collection = QdrantStore(qdrant.url, tmp_path).create("photos", SCHEMA)
    points = [a_point({}, number) for number in range(700)]
    collection.upsert(points)
    qdrant.seen.clear()
    hits = collection.search(VECTOR, vector="c", limit=3).hits
    assert [hit.id for hit in hits] == sorted(point.id for point in points)[:3]
    # 4, 16, 64, 256 and 1024 are asked for: no more than needed to see all equals.
    assert len(qdrant.seen) == 5


@pytest.mark.parametrize("over", ["http", "memory"])
def test_threads_write_and_search_at_once(qdrant: Loopback, tmp_path: Path, over: str) -> None:
    store = QdrantStore(qdrant.url if over == "http" else ":memory:", tmp_path)
    collection = store.create("photos", SCHEMA)

    def work(number: int) -> None:
        asset = f"file:///{number}"
        for turn in range(5):
            point = Point(point_id(asset, "image"), asset, {"c": VECTOR}, {"turn": turn})
            row = LedgerRow(asset, "done", points=1, attempts=turn + 1)
            collection.replace([AssetWrite(asset, [point], row)])
            hits = collection.search(VECTOR, vector="c", limit=50).hits
            assert (asset, turn) in [(hit.asset, hit.payload["turn"]) for hit in hits]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert collection.count() == 8
    assert [row.attempts for row in collection.ledger.rows()] == [5] * 8
