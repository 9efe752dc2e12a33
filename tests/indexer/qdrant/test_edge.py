"""Filters mean in Qdrant's own engine, with indexes and without, what they mean in the model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from indexer import Filter, Payload, Point, point_id
from indexer.qdrant.filters import key_path, translated
from indexer.qdrant.payloads import ASSET, path, stored
from tests.indexer.model import Model
from tests.indexer.operations import KEYS, Generator

pytest.importorskip("qdrant_edge")

ODD_NAMES = ["a~", "%", 'a"b', "é ß", "\\", "a]", ""]


def answers(folder: Path, **asked: Any) -> list[set[UUID]]:  # noqa: ANN401
    folder.mkdir()
    request = json.dumps({"folder": str(folder), **asked})
    command = [sys.executable, "-m", "tests.indexer.qdrant.edge"]
    process = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return [set(map(UUID, ids)) for ids in json.loads(process.stdout)]


def indexes() -> dict[str, str]:
    found = {path(ASSET): "keyword"}
    for key in KEYS:
        for part, kind in (("is", "keyword"), ("num", "float"), ("at", "datetime")):
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
    found = answers(
        tmp_path / "edge",
        indexes=indexes() if indexed else {},
        points=[
            {"id": str(point), "payload": stored(one.asset, one.payload)}
            for point, one in model.points.items()
        ],
        filters=[in_rest(tree) for tree in trees],
    )
    for tree, ids in zip(trees, found, strict=True):
        assert ids == set(model.select(tree)), tree


def test_names_of_every_kind_can_be_looked_up(tmp_path: Path) -> None:
    payloads: list[Payload] = [{name: "x"} for name in ODD_NAMES]
    points = [Point(point_id(str(n), "text"), "a", {}, p) for n, p in enumerate(payloads)]
    trees = [
        Filter.parse({"must": [{"key": key, "match": {"value": "x"}}]})
        for key in ["a~", "%", '"a\\"b"', "é ß", "\\", '"a]"', '""']
    ]
    found = answers(
        tmp_path / "edge",
        indexes={},
        points=[{"id": str(p.id), "payload": stored(p.asset, p.payload)} for p in points],
        filters=[in_rest(tree) for tree in trees],
    )
    assert found == [{point.id} for point in points]
