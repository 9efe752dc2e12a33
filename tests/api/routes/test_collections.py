from pathlib import Path

import httpx
from blake3 import blake3

from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.media import encoded, plain

COLLECTIONS = "/v1/collections"


def test_list_and_describe(client: httpx.Client) -> None:
    (only,) = client.get(COLLECTIONS).json()["collections"]
    assert (only["name"], only["encoder"]) == ("colours", "fake")
    detail = client.get(f"{COLLECTIONS}/colours").json()
    assert detail["kinds"] == {"image": 10, "segment": 3, "video": 1, "text": 0}
    assert detail["points"] == 14
    assert detail["vectors"] == {"default": 48}


def test_create_and_delete(fresh: Served) -> None:
    made = fresh.client.post(COLLECTIONS, json={"name": "holidays"})
    assert made.status_code == 201
    assert made.headers["location"] == f"{COLLECTIONS}/holidays"
    assert made.json()["points"] == 0
    gone = fresh.client.delete(f"{COLLECTIONS}/holidays")
    assert (gone.status_code, gone.content) == (204, b"")
    refused(fresh.client.get(f"{COLLECTIONS}/holidays"), 404, "unknown-collection")
    refused(fresh.client.delete(f"{COLLECTIONS}/holidays"), 404, "unknown-collection")


def test_name_taken(fresh: Served) -> None:
    answer = fresh.client.post(COLLECTIONS, json={"name": "default"})
    assert "default" in refused(answer, 409, "collection-exists")


def test_names_that_are_no_folders(fresh: Served) -> None:
    for name in ("", "../up", "a/b", ".hidden", "x" * 300, "a\0b"):
        refused(fresh.client.post(COLLECTIONS, json={"name": name}), 422, "invalid-name")


def test_names_in_paths_stay_inside(client: httpx.Client) -> None:
    for name in ("..%2F..%2Fetc", "%2e%2e", "a%00b", "%2Fetc%2Fpasswd"):
        assert client.get(f"{COLLECTIONS}/{name}").status_code in (404, 422)


def test_deleting_removes_uploads_that_nobody_else_has(fresh: Served) -> None:
    client, media = fresh.client, fresh.installation.media
    client.post(COLLECTIONS, json={"name": "other"})
    shared, own = encoded(plain("red")), encoded(plain("blue"))
    client.post(f"{COLLECTIONS}/default/assets", files={"files": ("shared.jpg", shared)})
    files = [("files", ("shared.jpg", shared)), ("files", ("own.jpg", own))]
    items = client.post(f"{COLLECTIONS}/other/assets", files=files).json()["items"]
    client.get(f"{COLLECTIONS}/other/points/{items[1]['point']}/thumbnail").raise_for_status()

    client.delete(f"{COLLECTIONS}/other").raise_for_status()

    kept = {path.name for path in media.rglob("*") if path.is_file()}
    assert kept == {blake3(shared).hexdigest()}


def test_a_damaged_collection_hides_no_other_and_can_be_removed(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.installation.create("default")
        served.installation.create("other")
    (tmp_path / "collections" / "other" / "collection.db").write_bytes(b"no database" * 500)
    with serving(tmp_path) as served:
        listed = served.client.get(COLLECTIONS).json()["collections"]
        assert [collection["name"] for collection in listed] == ["default"]
        assert served.client.delete(f"{COLLECTIONS}/other").status_code == 204
        assert served.installation.store.names() == ["default"]
