"""Assets under ids of the client's own."""

from pathlib import Path

import httpx

from tests.api.routes.test_assets import left_over
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.media import encoded, plain

SHOE = "/v1/collections/default/assets/shoe.1"
RED, BLUE = (encoded(plain(colour), "PNG") for colour in ("red", "blue"))


def kept(served: Served) -> list[str]:
    folder = served.installation.media
    return sorted(path.name for path in folder.glob("??/*") if len(path.name) == 64)


def original(served: Served) -> bytes:
    [hit] = served.client.get("/v1/collections/default/search", params={"q": "red"}).json()["hits"]
    assert (hit["asset"], hit["payload"]["name"]) == ("id:shoe.1", "shoe.1")
    answer = served.client.get(f"/v1/collections/default/points/{hit['id']}/original")
    assert answer.headers["content-type"] == "image/png"
    return answer.content


def test_the_same_again_changes_nothing_and_another_takes_its_place(fresh: Served) -> None:
    client = fresh.client
    first, again = client.put(SHOE, content=RED), client.put(SHOE, content=RED)
    assert (first.status_code, first.json()["status"]) == (201, "done")
    assert (again.status_code, again.json()["status"]) == (200, "unchanged")
    assert original(fresh) == RED
    other = client.put(SHOE, content=BLUE)
    assert (other.status_code, other.json()["point"]) == (200, first.json()["point"])
    assert original(fresh) == BLUE
    assert len(kept(fresh)) == 1
    assert client.get("/v1/collections/default").json()["points"] == 1
    assert left_over(fresh) == []


def test_what_cannot_be_used_changes_nothing(fresh: Served) -> None:
    refused(fresh.client.put(SHOE, content=RED[:100]), 422, "unreadable-media")
    refused(fresh.client.get(SHOE), 404, "unknown-asset")
    fresh.client.put(SHOE, content=RED)
    before = fresh.client.get(SHOE).json()
    refused(fresh.client.put(SHOE, content=BLUE[:100]), 422, "unreadable-media")
    refused(fresh.client.put(SHOE, content=b"milk, bread"), 415, "not-media")
    refused(fresh.client.put(SHOE, content=b""), 415, "not-media")
    assert fresh.client.get(SHOE).json() == before
    assert original(fresh) == RED
    assert len(kept(fresh)) == 1


def test_too_large(tmp_path: Path) -> None:
    with serving(tmp_path, max_upload_bytes=10_000) as small:
        small.installation.create("default")
        refused(small.client.put(SHOE, content=RED + bytes(20_000)), 413, "too-large")
        assert left_over(small) == []


def test_content_is_kept_for_as_long_as_anybody_has_it(fresh: Served) -> None:
    client = fresh.client
    other = SHOE.replace("shoe.1", "shoe.2")
    client.put(SHOE, content=RED)
    client.put(other, content=RED)
    client.post("/v1/collections/default/assets", files={"files": ("red.png", RED)})
    assert client.delete(SHOE).status_code == 204
    client.put(other, content=BLUE)
    assert len(kept(fresh)) == 2
    [uploaded] = client.get(
        "/v1/collections/default/assets", params={"after": "id:zzz", "limit": 1}
    ).json()["assets"]
    client.delete("/v1/collections/default/assets", params={"uri": uploaded["asset"]})
    assert len(kept(fresh)) == 1
    client.delete("/v1/collections/default")
    assert kept(fresh) == []


def test_ids(client: httpx.Client) -> None:
    for bad in ("a b", "x" * 129, "ü"):
        answer = client.put(f"/v1/collections/colours/assets/{bad}", content=RED)
        refused(answer, 422, "invalid-request")
    refused(client.delete("/v1/collections/colours/assets/nothing"), 404, "unknown-asset")
    refused(client.put("/v1/collections/none/assets/a", content=RED), 404, "unknown-collection")


def test_a_payload_of_ones_own(fresh: Served) -> None:
    def put(payload: str) -> httpx.Response:
        return fresh.client.put(SHOE, content=RED, params={"payload": payload})

    point = put('{"price": 49}').json()["point"]
    assert put('{"price": 49}').json()["status"] == "unchanged"
    assert put('{"price": 39}').json()["status"] == "done"
    path = f"/v1/collections/default/points/{point}"
    assert fresh.client.get(path).json()["payload"]["price"] == 39
    refused(put("7"), 422, "invalid-payload")
    refused(put('{"width": 7}'), 422, "invalid-payload")
    assert fresh.client.get(path).json()["payload"]["price"] == 39
    assert left_over(fresh) == []
