"""Texts as assets of their own."""

from pathlib import Path
from typing import Any

from ingestion.sidecars import MAX_TEXT
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.encoders.internvl.tiny import TINY
from tests.media import encoded, plain

ASSETS = "/v1/collections/default/assets"
SEARCH = "/v1/collections/default/search"


def add(served: Served, *texts: str) -> list[dict[str, Any]]:
    answer = served.client.post(ASSETS, json={"texts": texts})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_texts_are_found_by_text_and_by_picture(fresh: Served) -> None:
    red, blue = add(fresh, "a red door", "the blue sea")
    assert (red["status"], red["name"]) == ("done", "a red door")
    [hit] = fresh.client.get(SEARCH, params={"q": "red", "limit": 1}).json()["hits"]
    assert (hit["id"], hit["asset"]) == (red["point"], red["asset"])
    assert (hit["payload"]["kind"], hit["payload"]["text"]) == ("text", "a red door")
    picture = {"image": ("blue.png", encoded(plain("blue"), "PNG"))}
    [hit] = fresh.client.post(SEARCH, files=picture, data={"query": '{"limit": 1}'}).json()["hits"]
    assert hit["id"] == blue["point"]


def test_each_has_its_own_outcome(fresh: Served) -> None:
    items = add(fresh, "a red door", "", " \n", "x" * (MAX_TEXT + 1), "a red  door", "a red door ")
    told = [(item["status"], item["reason"]) for item in items]
    assert told[:4] == [
        ("done", ""),
        ("failed", "an empty text"),
        ("failed", "an empty text"),
        ("failed", "more than 64 kB of text"),
    ]
    assert items[4]["asset"] != items[0]["asset"] == items[5]["asset"]
    [again] = add(fresh, "a red door")
    assert (again["status"], again["point"]) == ("unchanged", items[0]["point"])
    assert [item["status"] for item in add(fresh, "")] == ["failed"]
    assert fresh.installation.store.open("default").count() == 2


def test_texts_are_forgotten(fresh: Served) -> None:
    [item] = add(fresh, "a red door")
    answer = fresh.client.delete(ASSETS, params={"uri": item["asset"]})
    assert answer.status_code == 204
    assert fresh.client.get(ASSETS).json()["assets"] == []
    assert fresh.installation.store.open("default").count() == 0


def test_what_is_no_list_of_texts_is_refused(fresh: Served) -> None:
    wrong: list[object] = [{}, [], *({"texts": texts} for texts in ([], "a", [1], ["a"] * 257))]
    for body in [*wrong, {"texts": ["a"], "files": []}]:
        refused(fresh.client.post(ASSETS, json=body), 422, "invalid-request")
    answer = fresh.client.post(
        ASSETS, content=b"a red door", headers={"content-type": "text/plain"}
    )
    refused(answer, 415, "not-multipart")
    answer = fresh.client.post("/v1/collections/x/assets", json={"texts": ["a"]})
    refused(answer, 404, "unknown-collection")


def test_an_encoder_without_its_text_tower_is_told(tmp_path: Path) -> None:
    settings = {"encoder": str(TINY), "towers": "image", "device": "cpu"}
    with serving(tmp_path, **settings) as served:
        served.installation.create("default")
        refused(served.client.post(ASSETS, json={"texts": ["a"]}), 422, "tower-missing")
