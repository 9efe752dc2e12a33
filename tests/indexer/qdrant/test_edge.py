"""Filters mean in Qdrant's own engine, with indexes and without, what they mean in the model."""

import json
import random
import string
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from indexer import Filter, Point, point_id
from indexer.payload import key_of
from indexer.qdrant.filters import key_path, translated
from indexer.qdrant.payloads import ASSET, path, stored, stored_names
from tests.indexer.model import Model
from tests.indexer.operations import KEYS, Generator

pytest.importorskip("qdrant_edge")


PARTS = {"is": "keyword", "num": "float", "at": "datetime", "geo": "geo"}


def answers(folder: Path, **asked: Any) -> list[set[UUID]]:  # noqa: ANN401
    folder.mkdir()
    request = json.dumps({"folder": str(folder), **asked})
    command = [sys.executable, "-m", "tests.indexer.qdrant.edge"]
    process = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return [set(map(UUID, ids)) for ids in json.loads(process.stdout)]


def check(folder: Path, model: Model, trees: list[Filter], indexed: dict[str, str]) -> None:
    """The engine finds for each filter what the model does."""
    points = [
        {"id": str(point), "payload": stored(one.asset, one.payload)}
        for point, one in model.points.items()
    ]
    found = answers(folder, indexes=indexed, points=points, filters=list(map(in_rest, trees)))
    for tree, ids in zip(trees, found, strict=True):
        assert ids == set(model.select(tree)), tree


def indexes() -> dict[str, str]:
    found = {path(ASSET): "keyword"}
    for key in KEYS:
        for part, kind in PARTS.items():
            found[str(key_path(key, part))] = kind
    return found


def in_rest(tree: Filter) -> Any:  # noqa: ANN401
    return translated(tree).model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize("indexed", [False, True])
def test_filters_match_what_the_model_says(tmp_path: Path, indexed: bool) -> None:
    generator, model = Generator(5, bound=2**52), Model()
    for _ in range(250):
        model.upsert([generator.point(generator.asset())])
    trees = [generator.filter() for _ in range(150)]
    trees += [Filter.parse({"must": [generator.condition(0)]}) for _ in range(300)]
    check(tmp_path / "edge", model, trees, indexes() if indexed else {})


@pytest.mark.parametrize("seed", range(2))
def test_an_index_of_places_finds_what_is_in_an_area(tmp_path: Path, seed: int) -> None:
    """Many places, crowded at the poles and the date line, where Qdrant's index alone errs."""
    dice, model = random.Random(seed), Model()
    for number in range(700):
        payload = {"where": a_place(dice)}
        model.upsert([Point(point_id(str(number), "text"), "a", {}, payload)])
    trees = [Filter.parse({"must": [{"key": "where", **an_area(dice)}]}) for _ in range(200)]
    check(tmp_path / "edge", model, trees, {str(key_path("where", "geo")): "geo"})


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


def test_names_of_every_kind_can_be_looked_up_and_removed(tmp_path: Path) -> None:
    names = [*string.punctuation, *"\n\t\0\x7f ß☹", "", "a.b", "%7E", "a~"]
    points = {point_id(name, "text"): {name: "x"} for name in names}
    trees = [
        Filter.parse({"must": [{"key": key_of(name), "match": {"value": "x"}}]}) for name in names
    ]
    found = answers(
        tmp_path / "edge",
        indexes={str(key_path(key_of(name), "is")): "keyword" for name in names[::2]},
        points=[{"id": str(point), "payload": stored("a", one)} for point, one in points.items()],
        filters=[in_rest(tree) for tree in trees],
        removed=[path for name in names for path in stored_names(name)],
    )
    assert found == [*({point} for point in points), set(points)]
