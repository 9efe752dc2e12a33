"""`/v1/collections/{name}/fields`: what there is to filter on."""

from typing import Any

import httpx
import numpy as np
import pytest

from api import fields as described
from indexer import Point
from indexer.base import point_id
from tests.api.routes.test_search import refused
from tests.api.server import Served


def fields(client: httpx.Client, collection: str = "default") -> dict[str, dict[str, Any]]:
    answer = client.get(f"/v1/collections/{collection}/fields")
    assert answer.status_code == 200, answer.text
    return {field["key"]: field for field in answer.json()["fields"]}


def add(served: Served, *payloads: dict[str, Any]) -> None:
    """A point for each payload."""
    vector = {"default": np.eye(48, dtype=np.float32)[0]}
    collection = served.installation.store.open("default")
    assets = [f"file:///{collection.count() + number}" for number in range(len(payloads))]
    collection.upsert(
        [
            Point(point_id(asset, "image"), asset, vector, payload)
            for asset, payload in zip(assets, payloads, strict=True)
        ]
    )


def test_each_type_is_described(fresh: Served) -> None:
    add(
        fresh,
        {"camera": "Leica", "stars": 3, "flash": True, "taken": "2024-05-01T12:00:00+02:00"},
        {"camera": "Leica", "stars": 4.5, "flash": False, "taken": "2019-01-01"},
        {"camera": "Nikon", "exif": {"iso": 100}, "tags": ["sea", "sun"], "none": None},
        {"tags": ["sea"], "location": {"lat": 38.7, "lon": -9.1}},
    )
    found = fields(fresh.client)
    assert found["camera"]["values"] == [
        {"value": "Leica", "points": 2},
        {"value": "Nikon", "points": 1},
    ]
    assert (found["camera"]["type"], found["camera"]["points"]) == ("text", 3)
    assert found["tags"]["values"][0] == {"value": "sea", "points": 2}
    assert (found["stars"]["type"], found["stars"]["min"], found["stars"]["max"]) == (
        "number",
        3,
        4.5,
    )
    assert {value["value"] for value in found["flash"]["values"]} == {True, False}
    assert found["taken"]["type"] == "time"
    assert found["taken"]["min"].startswith("2019-01-01T00:00:00")
    assert found["taken"]["max"].startswith("2024-05-01T10:00:00")
    assert found["location"]["type"] == "place"
    assert found["exif.iso"]["type"] == "number"
    assert "none" not in found


def test_a_text_that_is_sometimes_a_date_is_a_text(fresh: Served) -> None:
    add(fresh, {"title": "2024-05-01"}, {"title": "At the sea"})
    assert fields(fresh.client)["title"]["type"] == "text"


def test_what_ingestion_writes(client: httpx.Client) -> None:
    found = fields(client, "colours")
    assert found["kind"]["distinct"] == 3
    assert found["width"]["type"] == "number"
    assert found["name"]["points"] == 14
    films = client.get("/v1/collections/colours/fields?kind=video").json()
    assert films["points"] == 1


def test_filters_take_the_keys_as_they_are_said(fresh: Served) -> None:
    add(fresh, {"a.b": "x", "c": {'d"e': "x"}}, {})
    for key in fields(fresh.client):
        tree = {"must": [{"key": key, "match": {"value": "x"}}]}
        answer = fresh.client.post("/v1/collections/default/points/count", json={"filter": tree})
        assert answer.json() == {"count": 1}


def test_nothing_and_nowhere(fresh: Served) -> None:
    answer = fresh.client.get("/v1/collections/default/fields").json()
    assert answer == {"fields": [], "points": 0, "sampled": False}
    refused(fresh.client.get("/v1/collections/x/fields"), 404, "unknown-collection")


def test_of_many_points_a_sample_is_looked_at(
    fresh: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(described, "SAMPLE", 20)
    monkeypatch.setattr(described, "PAGE", 10)
    add(fresh, *({"n": number} for number in range(50)))
    answer = fresh.client.get("/v1/collections/default/fields").json()
    assert (answer["points"], answer["sampled"]) == (20, True)
    assert answer["fields"][0]["distinct"] == 20
