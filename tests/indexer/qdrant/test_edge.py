"""Filters mean in Qdrant's own engine, with indexes and without, what they mean in the model."""

import random
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from qdrant_client import QdrantClient, models

from indexer import Filter, Payload, Point, point_id
from indexer.payload import key_of
from indexer.qdrant.filters import key_path, translated
from indexer.qdrant.payloads import ASSET, path, stored, stored_names
from tests.indexer.model import Model
from tests.indexer.operations import KEYS, Generator

NAME = "filtered"
PARTS = {"is": "keyword", "num": "float", "at": "datetime", "geo": "geo"}


@pytest.fixture
def engine(edge: str) -> Iterator[QdrantClient]:
    """Holds the collection `NAME`, which is empty."""
    client = QdrantClient(url=edge, check_compatibility=False)
    vector = models.VectorParams(size=1, distance=models.Distance.DOT)
    client.create_collection(NAME, vectors_config={"one": vector})
    yield client
    client.delete_collection(NAME)
    client.close()


def fill(
    engine: QdrantClient, points: Mapping[UUID, tuple[str, Payload]], indexes: Mapping[str, str]
) -> None:
    """Store assets and payloads; `indexes` maps the path of a field to its kind."""
    for field, kind in indexes.items():
        engine.create_payload_index(NAME, field, models.PayloadSchemaType(kind))
    rows = [
        models.PointStruct(id=str(point), vector={"one": [1.0]}, payload=stored(asset, payload))
        for point, (asset, payload) in points.items()
    ]
    engine.upsert(NAME, rows, wait=True)


def answers(engine: QdrantClient, trees: Sequence[Filter]) -> list[set[UUID]]:
    """The points that each filter matches."""
    asked = [models.QueryRequest(filter=translated(tree), limit=1000) for tree in trees]
    found = engine.query_batch_points(NAME, asked)
    return [{UUID(str(point.id)) for point in answer.points} for answer in found]


def check(
    engine: QdrantClient, model: Model, trees: Sequence[Filter], indexes: Mapping[str, str]
) -> None:
    """The engine finds for each filter what the model does."""
    points = {point: (one.asset, one.payload) for point, one in model.points.items()}
    fill(engine, points, indexes)
    for tree, ids in zip(trees, answers(engine, trees), strict=True):
        assert ids == set(model.select(tree)), tree


def indexes() -> dict[str, str]:
    found = {path(ASSET): "keyword"}
    for key in KEYS:
        for part, kind in PARTS.items():
            found[str(key_path(key, part))] = kind
    return found


@pytest.mark.parametrize("indexed", [False, True])
def test_filters_match_what_the_model_says(engine: QdrantClient, indexed: bool) -> None:
    generator, model = Generator(5, bound=2**52), Model()
    for _ in range(250):
        model.upsert([generator.point(generator.asset())])
    trees = [generator.filter() for _ in range(150)]
    trees += [Filter.parse({"must": [generator.condition(0)]}) for _ in range(300)]
    check(engine, model, trees, indexes() if indexed else {})


@pytest.mark.parametrize("seed", range(2))
def test_an_index_of_places_finds_what_is_in_an_area(engine: QdrantClient, seed: int) -> None:
    """Many places, crowded at the poles and the date line, where Qdrant's index alone errs."""
    dice, model = random.Random(seed), Model()
    for number in range(700):
        payload = {"where": a_place(dice)}
        model.upsert([Point(point_id(str(number), "text"), "a", {}, payload)])
    trees = [Filter.parse({"must": [{"key": "where", **an_area(dice)}]}) for _ in range(200)]
    check(engine, model, trees, {str(key_path("where", "geo")): "geo"})


def a_place(dice: random.Random) -> dict[str, float]:
    lat = dice.choice([dice.uniform(-90, 90), dice.uniform(80, 90), 90, -90])
    return {"lat": lat, "lon": dice.choice([dice.uniform(-180, 180), 180, -180])}


def an_area(dice: random.Random) -> dict[str, Any]:
    center = a_place(dice)
    if dice.random() < 0.7:
        return {"geo_radius": {"center": center, "radius": 10 ** dice.uniform(3, 7.3)}}
    other = a_place(dice)
    north, south = sorted([center["lat"], other["lat"]], reverse=True)
    corners = {"lat": north, "lon": center["lon"]}, {"lat": south, "lon": other["lon"]}
    return {"geo_bounding_box": dict(zip(("top_left", "bottom_right"), corners, strict=True))}


def test_names_of_every_kind_can_be_looked_up_and_removed(engine: QdrantClient) -> None:
    names = [*string.punctuation, *"\n\t\0\x7f ß☹", "", "a.b", "%7E", "a~"]
    points = {point_id(name, "text"): ("a", {name: "x"}) for name in names}
    trees = [
        Filter.parse({"must": [{"key": key_of(name), "match": {"value": "x"}}]}) for name in names
    ]
    fill(engine, points, {str(key_path(key_of(name), "is")): "keyword" for name in names[::2]})
    assert answers(engine, trees) == [{point} for point in points]
    ids: list[Any] = [str(point) for point in points]
    engine.delete_payload(NAME, [path for name in names for path in stored_names(name)], ids)
    assert [record.payload for record in engine.retrieve(NAME, ids)] == [{ASSET: "a"}] * len(names)
