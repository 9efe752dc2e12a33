"""Aliases, snapshots, compaction and checks over HTTP."""

import hashlib
from pathlib import Path

import httpx
import pytest

from tests.api.routes.test_search import refused
from tests.api.server import Served
from tests.media import encoded, plain

HERE = "/v1/collections/default"


@pytest.fixture
def filled(fresh: Served) -> Served:
    """Three pictures in the collection `default`."""
    files = [("files", (f"{c}.png", encoded(plain(c), "PNG"))) for c in ("red", "green", "blue")]
    fresh.client.post(f"{HERE}/assets", files=files).raise_for_status()
    return fresh


def found(client: httpx.Client, name: str) -> str:
    answer = client.get(f"/v1/collections/{name}/search", params={"q": "red", "limit": 1})
    answer.raise_for_status()
    return str(answer.json()["hits"][0]["payload"]["name"])


def test_an_alias_is_searched_and_cut_over(filled: Served) -> None:
    client = filled.client
    assert client.get("/v1/aliases").json() == {"aliases": []}
    made = client.put("/v1/aliases/photos", json={"collection": "default"})
    assert made.json() == {"alias": "photos", "collection": "default"}
    assert found(client, "photos") == "red.png"
    client.post("/v1/collections", json={"name": "next"}).raise_for_status()
    client.put("/v1/aliases/photos", json={"collection": "next"}).raise_for_status()
    assert client.get("/v1/collections/photos").json()["points"] == 0
    assert client.get("/v1/aliases/photos").json()["collection"] == "next"
    refused(
        client.put("/v1/aliases/next", json={"collection": "default"}), 409, "collection-exists"
    )
    refused(client.put("/v1/aliases/x", json={"collection": "no"}), 404, "unknown-collection")
    refused(client.put("/v1/aliases/X!", json={"collection": "default"}), 422, "invalid-name")
    refused(client.delete("/v1/collections/photos"), 404, "unknown-collection")
    assert client.delete("/v1/aliases/photos").status_code == 204
    refused(client.get("/v1/aliases/photos"), 404, "unknown-collection")
    refused(client.delete("/v1/aliases/photos"), 404, "unknown-collection")
    assert client.get(HERE).json()["points"] == 3


def test_a_snapshot_is_taken_downloaded_and_restored(filled: Served, tmp_path: Path) -> None:
    client = filled.client
    made = client.post(f"{HERE}/snapshots")
    assert made.status_code == 201
    taken = made.json()
    assert (taken["collection"], taken["points"]) == ("default", 3)
    assert made.headers["location"] == f"/v1/snapshots/{taken['name']}"
    assert client.get("/v1/snapshots").json() == {"snapshots": [taken]}
    file = client.get(made.headers["location"])
    assert file.headers["content-type"] == "application/x-tar"
    assert len(file.content) == taken["bytes"]
    kept = filled.installation.snapshots / taken["name"]
    assert hashlib.sha256(file.content).digest() == hashlib.sha256(kept.read_bytes()).digest()

    restored = client.post(f"/v1/snapshots/{taken['name']}/restore", json={"name": "copy"})
    assert restored.status_code == 201
    assert (restored.json()["name"], restored.json()["points"]) == ("copy", 3)
    assert found(client, "copy") == "red.png"
    again = client.post(f"/v1/snapshots/{taken['name']}/restore", json={})
    refused(again, 409, "collection-exists")

    assert client.delete(f"/v1/snapshots/{taken['name']}").status_code == 204
    assert client.get("/v1/snapshots").json() == {"snapshots": []}
    refused(client.get(f"/v1/snapshots/{taken['name']}"), 404, "unknown-snapshot")
    assert str(tmp_path) not in restored.text


def test_only_snapshots_are_served(filled: Served) -> None:
    client, folder = filled.client, filled.installation.snapshots
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "default-20260101T000000000Z.tar").write_bytes(b"no tar" * 999)
    (folder.parent / "secret-20260101T000000000Z.tar").write_bytes(b"secret")
    assert client.get("/v1/snapshots").json() == {"snapshots": []}
    for name in (
        "notes.txt",
        "..%2Fsecret-20260101T000000000Z.tar",
        "%2e%2e%2fpolylens.db",
        "secret-20260101T000000000Z.tar",
    ):
        assert client.get(f"/v1/snapshots/{name}").status_code == 404
    bad = client.post("/v1/snapshots/default-20260101T000000000Z.tar/restore", json={"name": "x"})
    assert str(folder) not in refused(bad, 422, "invalid-archive")
    refused(client.post("/v1/snapshots/x/restore", json={"name": "y"}), 404, "unknown-snapshot")
    refused(client.post("/v1/snapshots/x/restore", json={"nam": "y"}), 422, "invalid-request")


def test_room_is_given_back(filled: Served) -> None:
    client = filled.client
    [collection] = [filled.installation.store.open("default")]
    first = collection.scroll(limit=1).records[0].id
    collection.delete([first])
    compacted = client.post(f"{HERE}/compact").json()
    assert compacted["points"] == 1
    assert compacted["after"] < compacted["before"]
    assert client.get(HERE).json()["points"] == 2
    refused(client.post("/v1/collections/none/compact"), 404, "unknown-collection")


def test_damage_is_named_without_the_place(filled: Served) -> None:
    client = filled.client
    whole = client.post(f"{HERE}/verify").json()
    assert whole == {"bytes": 3 * 48 * 4, "damage": None}
    data = filled.installation.settings.data
    [path] = (data / "collections" / "default" / "vectors").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    found = client.post(f"{HERE}/verify").json()
    assert found["bytes"] is None
    assert "default-000000.f32: rows" in found["damage"]
    assert str(data) not in found["damage"]
    taken = client.post(f"{HERE}/snapshots")
    refused(taken, 500, "storage-failed")
