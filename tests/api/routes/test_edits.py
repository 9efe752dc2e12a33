"""Payloads, points and assets changed over HTTP."""

from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import numpy as np
import pytest

from tests.api.conftest import fill
from tests.api.routes.test_assets import upload
from tests.api.routes.test_search import refused
from tests.api.server import Served
from tests.media import encoded, plain

POINTS = "/v1/collections/default/points"
ASSETS = "/v1/collections/default/assets"


@pytest.fixture
def filled(fresh: Served, photos: Path) -> Served:
    fill(fresh.installation, "default", photos)
    return fresh


def named(client: httpx.Client, name: str) -> dict[str, object]:
    condition = {"key": "name", "match": {"value": name}}
    (point,) = client.post(f"{POINTS}/scroll", json={"filter": {"must": [condition]}}).json()[
        "points"
    ]
    assert isinstance(point, dict)
    return point


def test_a_payload_is_patched_and_filtered_on(filled: Served) -> None:
    client = filled.client
    red = named(client, "red.jpg")
    change = {"set": {"album": "été", "stars": 5}, "delete": ["folder2"]}
    patched = client.patch(f"{POINTS}/{red['id']}", json=change)
    assert patched.status_code == 200, patched.text
    assert patched.json()["payload"]["album"] == "été"
    by_album = {"must": [{"key": "album", "match": {"value": "été"}}]}
    assert client.post(f"{POINTS}/count", json={"filter": by_album}).json() == {"count": 1}
    client.patch(f"{POINTS}/{red['id']}", json={"delete": ["album"]})
    assert client.post(f"{POINTS}/count", json={"filter": by_album}).json() == {"count": 0}
    assert named(client, "red.jpg")["payload"]["stars"] == 5  # type: ignore[index]


def test_what_ingestion_wrote_stays(filled: Served) -> None:
    red = named(filled.client, "red.jpg")
    written = [key for key in red["payload"] if key != "taken"]  # type: ignore[attr-defined]
    assert len(written) > 8
    for key in (*written, "start", "duration", "duplicate_of"):
        for change in ({"set": {key: "x", "album": "y"}}, {"delete": ["album", key]}):
            answer = filled.client.patch(f"{POINTS}/{red['id']}", json=change)
            assert repr(key) in refused(answer, 422, "kept-key")
    assert named(filled.client, "red.jpg") == red
    assert filled.client.patch(f"{POINTS}/{red['id']}", json={}).status_code == 422
    missing = filled.client.patch(f"{POINTS}/{uuid4()}", json={"set": {"a": 1}})
    refused(missing, 404, "unknown-point")


def test_points_are_scrolled_with_their_vectors(filled: Served) -> None:
    seen, after = [], None
    while True:
        body = {"limit": 3, "after": after, "with_vectors": ["default"]}
        page = filled.client.post(f"{POINTS}/scroll", json=body).json()
        seen += page["points"]
        if (after := page["next"]) is None:
            break
    assert len({point["id"] for point in seen}) == len(seen)
    assert len(seen) == filled.client.post(f"{POINTS}/count", json={}).json()["count"]
    assert len(seen) == filled.client.post(f"{POINTS}/count").json()["count"]
    assert len(filled.client.post(f"{POINTS}/scroll").json()["points"]) == len(seen)
    norms = [np.linalg.norm(point["vectors"]["default"]) for point in seen]
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_points_are_deleted_by_id_and_by_filter(filled: Served) -> None:
    client = filled.client
    red = named(client, "red.jpg")
    assert client.post(f"{POINTS}/delete", json={"ids": [red["id"]]}).json() == {"count": 1}
    assert client.post(f"{POINTS}/delete", json={"ids": [red["id"]]}).json() == {"count": 0}
    segments = {"must": [{"key": "kind", "match": {"value": "segment"}}]}
    gone = client.post(f"{POINTS}/delete", json={"filter": segments}).json()["count"]
    assert gone > 0
    assert client.post(f"{POINTS}/count", json={"filter": segments}).json() == {"count": 0}
    for body in ({}, {"ids": [red["id"]], "filter": segments}):
        assert client.post(f"{POINTS}/delete", json=body).status_code == 422


def test_an_asset_goes_with_all_its_points(filled: Served) -> None:
    client = filled.client
    listed = client.get(ASSETS, params={"limit": 1_000}).json()["assets"]
    film = next(asset for asset in listed if asset["asset"].endswith("film.mp4"))
    assert film["status"] == "done"
    of_film = {"must": [{"key": "asset", "match": {"value": film["asset"]}}]}
    count = client.post(f"{POINTS}/count", json={"filter": of_film}).json()["count"]
    assert count == film["points"] > 1
    answer = client.delete(f"{ASSETS}?uri={quote(film['asset'], safe='')}")
    assert answer.status_code == 204
    assert client.post(f"{POINTS}/count", json={"filter": of_film}).json() == {"count": 0}
    refused(client.delete(ASSETS, params={"uri": "file:///nowhere"}), 404, "unknown-asset")


def test_assets_are_listed_a_page_at_a_time(filled: Served) -> None:
    whole = filled.client.get(ASSETS, params={"limit": 1_000}).json()
    assert whole["next"] is None
    seen, after = [], None
    while True:
        page = filled.client.get(ASSETS, params={"limit": 3, **({"after": after} if after else {})})
        seen += page.json()["assets"]
        if (after := page.json()["next"]) is None:
            break
    assert seen == whole["assets"]
    assert filled.client.get(ASSETS, params={"status": "failed"}).json()["assets"] == []


def test_an_upload_goes_with_its_last_collection(fresh: Served) -> None:
    client = fresh.client
    client.post("/v1/collections", json={"name": "other"})
    photo = encoded(plain("red"))
    (item,) = upload(client, ("red.jpg", photo))
    client.post("/v1/collections/other/assets", files={"files": ("red.jpg", photo)})
    client.get(f"{POINTS}/{item['point']}/thumbnail")
    kept = fresh.installation.media / item["asset"][6:8] / item["asset"][6:]
    thumbnails = list((fresh.installation.media / "thumbs").glob("??/*.webp"))
    assert kept.exists()
    assert thumbnails
    assert client.delete(ASSETS, params={"uri": item["asset"]}).status_code == 204
    assert kept.exists()
    assert not any(path.exists() for path in thumbnails)
    other = "/v1/collections/other/assets"
    assert client.delete(other, params={"uri": item["asset"]}).status_code == 204
    assert not kept.exists()
    (again,) = upload(client, ("red.jpg", photo))
    assert again["status"] == "done"
    assert kept.exists()
