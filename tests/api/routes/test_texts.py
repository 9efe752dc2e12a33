"""Texts as assets of their own."""

from pathlib import Path
from typing import Any

from ingestion.sidecars import MAX_TEXT
from tests.api.routes.test_jobs import ended
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.encoders.internvl.tiny import TINY
from tests.media import encoded, plain

ASSETS = "/v1/collections/default/assets"
SEARCH = "/v1/collections/default/search"


def add(served: Served, *texts: str | dict[str, Any]) -> list[dict[str, Any]]:
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


def test_a_text_has_an_id_and_a_payload(fresh: Served) -> None:
    note = {"text": "a red door", "id": "note-1", "payload": {"album": "Lisbon", "name": "Door"}}
    [made] = add(fresh, note)
    assert (made["status"], made["asset"]) == ("done", "id:note-1")
    point = f"/v1/collections/default/points/{made['point']}"
    payload = fresh.client.get(point).json()["payload"]
    assert (payload["album"], payload["name"], payload["text"]) == ("Lisbon", "Door", "a red door")
    assert fresh.client.get(f"{ASSETS}/note-1").json()["points"] == 1
    assert add(fresh, note)[0]["status"] == "unchanged"
    changes: list[dict[str, Any]] = [{"text": "a tan door"}, {"payload": {"album": "Porto"}}]
    for change in (*changes, {"payload": {}}):
        [again] = add(fresh, note | change)
        assert (again["status"], again["point"]) == ("done", made["point"])
    assert "album" not in fresh.client.get(point).json()["payload"]
    refused(fresh.client.patch(point, json={"set": {"text": "x"}}), 422, "kept-key")
    assert fresh.client.patch(point, json={"set": {"album": "Faro"}}).status_code == 200
    for what in ("original", "thumbnail"):
        refused(fresh.client.get(f"{point}/{what}"), 404, "no-original")
    assert fresh.client.delete(f"{ASSETS}/note-1").status_code == 204
    assert fresh.installation.store.open("default").count() == 0


def test_a_payload_without_an_id_is_of_the_words(fresh: Served) -> None:
    [plain_text] = add(fresh, "a red door")
    [said] = add(fresh, {"text": "a red door", "payload": {"stars": 5}})
    assert (said["status"], said["asset"]) == ("done", plain_text["asset"])
    assert add(fresh, "a red door")[0]["status"] == "unchanged"
    starred = {"filter": {"must": [{"key": "stars", "match": {"value": 5}}]}}
    count = fresh.client.post("/v1/collections/default/points/count", json=starred)
    assert count.json() == {"count": 1}


def test_payloads_and_ids_that_are_no_good_fail_alone(fresh: Served) -> None:
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"a": deep}
    items = add(
        fresh,
        {"text": "red", "id": "a"},
        *({"text": "green", "payload": {key: 1}} for key in ("kind", "mtime_ns", "text")),
        {"text": "green", "payload": deep},
        {"text": "blue", "id": "a"},
        {"text": " ", "id": "a"},
        {"text": "red", "id": "a"},
    )
    assert [item["status"] for item in items] == ["done", *["failed"] * 6, "done"]
    assert "'mtime_ns'" in items[2]["reason"]
    assert "deep" in items[4]["reason"]
    assert "has the same id" in items[5]["reason"]
    assert fresh.client.get(f"{ASSETS}/a").json()["status"] == "done"
    wrong = {"text": {"id": "a"}, "id": {"text": "a", "id": "/"}, "tag": {"text": "a", "tag": 1}}
    for field, text in wrong.items():
        answer = fresh.client.post(ASSETS, json={"texts": ["a", text]})
        assert f"body.texts.1.{field}: " in refused(answer, 422, "invalid-request")


def test_a_text_takes_the_place_of_a_picture_and_back(fresh: Served) -> None:
    picture = encoded(plain("blue"), "PNG")
    fresh.client.put(f"{ASSETS}/a", content=picture).raise_for_status()
    kept = [path for path in fresh.installation.media.glob("??/*") if len(path.name) == 64]
    [item] = add(fresh, {"text": "a red door", "id": "a"})
    [point] = fresh.client.get("/v1/collections/default/points").json()["points"]
    assert (point["id"], point["payload"]["kind"]) == (item["point"], "text")
    assert [path.exists() for path in kept] == [False]
    job = fresh.client.post("/v1/collections/default/backfill").json()["id"]
    assert ended(fresh.client, job)["counts"]["found"] == 0
    assert fresh.client.get(f"{ASSETS}/a").json()["status"] == "done"
    assert fresh.client.put(f"{ASSETS}/a", content=picture).json()["status"] == "done"
    [point] = fresh.client.get("/v1/collections/default/points").json()["points"]
    assert point["payload"]["kind"] == "image"


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
