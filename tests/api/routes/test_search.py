import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.server import Served, serving
from tests.media import encoded, plain

SEARCH = "/v1/collections/colours/search"


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["payload"]["name"] for hit in answer.json()["hits"]]


def ask(client: httpx.Client, *parts: Mapping[str, Any], **more: object) -> httpx.Response:
    return client.post(SEARCH, json={"parts": parts, **more})


def refused(answer: httpx.Response, status: int, name: str) -> str:
    """The detail of a problem of that kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:polylens:{name}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    return str(problem["detail"])


def test_text_finds_pictures(client: httpx.Client) -> None:
    answer = ask(client, {"text": "blue"}, limit=3)
    assert names(answer)[0] in ("blue.jpg", "film.mp4")
    hits = answer.json()["hits"]
    assert len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert answer.json()["took_ms"].keys() >= {"encode", "retrieve"}


def test_text_in_a_link(client: httpx.Client) -> None:
    answer = client.get(SEARCH, params={"q": "yellow", "limit": 1})
    assert names(answer) == ["yellow.jpg"]


def test_everything_of_a_link(client: httpx.Client) -> None:
    videos = {"must": [{"key": "kind", "match": {"value": "image"}}]}
    link = {"q": "yellow", "minus": ["red"], "filter": json.dumps(videos)}
    found = names(client.get(SEARCH, params={**link, "explain": True, "limit": 9}))
    assert "film.mp4" not in found
    assert found.index("red.jpg") > found.index("green.jpg")
    (orange,) = ask(client, {"text": "orange"}, limit=1).json()["hits"]
    assert names(client.get(SEARCH, params={"point": orange["id"]}))[0] == "orange.jpg"
    bad = client.get(SEARCH, params={"q": "red", "filter": "{"})
    assert "filter is not JSON" in refused(bad, 422, "invalid-query")
    assert "empty" in refused(client.get(SEARCH), 422, "invalid-query")
    misspelt = client.get(SEARCH, params={"q": "red", "limits": 5})
    assert "limits" in refused(misspelt, 422, "invalid-request")


def test_pages_by_cursor(client: httpx.Client) -> None:
    whole = names(ask(client, {"text": "blue"}, limit=11))
    asked: dict[str, Any] = {"limit": 4, "diversity": 0.0}
    pages = []
    while asked.get("cursor", "") is not None:
        answer = ask(client, {"text": "blue"}, **asked)
        pages.append(names(answer))
        asked["cursor"] = answer.json()["next"]
    assert [len(page) for page in pages] == [4, 4, 3]
    assert [name for page in pages for name in page] == whole
    link = client.get(SEARCH, params={"q": "blue", "limit": 4})
    again = client.get(SEARCH, params={"q": "blue", "limit": 4, "cursor": link.json()["next"]})
    assert names(again) == pages[1]


def test_cursor_of_another_query(client: httpx.Client) -> None:
    cursor = ask(client, {"text": "blue"}, limit=2).json()["next"]
    other = ask(client, {"text": "red"}, limit=2, cursor=cursor)
    assert "another query" in refused(other, 422, "invalid-cursor")


def test_explanation_on_request(client: httpx.Client) -> None:
    answer = ask(client, {"text": "blue"}, explain=True, collapse=True).json()
    stages = [stage["name"] for stage in answer["stages"]]
    assert stages[:3] == ["plan", "encode", "words"]
    assert "collapse" in stages
    assert answer["hits"][0]["scores"].keys() == {"default"}
    assert ask(client, {"text": "blue"}).json()["stages"] == []


def test_video_has_a_timeline(client: httpx.Client) -> None:
    hits = ask(client, {"text": "green"}, limit=20).json()["hits"]
    film = next(hit for hit in hits if hit["payload"]["name"] == "film.mp4")
    spans = film["timeline"]
    assert max(spans, key=lambda span: span["score"]) == spans[1]
    assert [span["end"] for span in spans[:-1]] == [span["start"] for span in spans[1:]]


def test_vector_as_query(client: httpx.Client) -> None:
    vector = [1.0, -1.0, -1.0] * 16
    assert names(ask(client, {"vector": vector}))[0] in ("red.jpg", "film.mp4")


def test_picture_as_a_file(client: httpx.Client) -> None:
    files = {"image": ("photo.png", encoded(plain("magenta"), "PNG"))}
    assert names(client.post(SEARCH, files=files))[0] == "magenta.jpg"


def test_picture_as_a_file_beside_a_request(client: httpx.Client) -> None:
    request = {
        "limit": 2,
        "filter": {"must_not": [{"key": "name", "match": {"value": "cyan.jpg"}}]},
    }
    answer = client.post(
        SEARCH,
        data={"query": json.dumps(request)},
        files={"image": ("photo.jpg", encoded(plain("cyan")))},
    )
    assert len(names(answer)) == 2
    assert "cyan.jpg" not in names(answer)


def test_picture_in_base64_and_text_together(client: httpx.Client) -> None:
    image = base64.b64encode(encoded(plain("red"))).decode()
    parts = ({"image": image}, {"text": "red", "weight": 0.5}, {"text": "blue", "weight": -0.5})
    kinds = {"must": [{"key": "kind", "match": {"value": "image"}}]}
    assert names(ask(client, *parts, filter=kinds))[0] == "red.jpg"


def test_stored_point_as_query(client: httpx.Client) -> None:
    (orange,) = ask(client, {"text": "orange"}, limit=1).json()["hits"]
    assert names(ask(client, {"point": orange["id"]}))[0] == "orange.jpg"


def test_video_is_one_hit_with_its_moment(client: httpx.Client) -> None:
    videos = {"must": [{"key": "kind", "match": {"any": ["video", "segment"]}}]}
    (hit,) = ask(client, {"text": "green"}, filter=videos).json()["hits"]
    assert hit["payload"]["name"] == "film.mp4"
    moment = hit["moments"][0]
    assert 3 <= moment["start"] <= 4.5
    assert moment["start"] <= moment["frame"] <= moment["end"] <= 9


def test_ungrouped_hits_are_points(client: httpx.Client) -> None:
    segments = {"must": [{"key": "kind", "match": {"value": "segment"}}]}
    hits = ask(client, {"text": "green"}, filter=segments, group=False).json()["hits"]
    assert len(hits) == 3
    assert len({hit["asset"] for hit in hits}) == 1


def test_field_that_no_point_has_is_a_warning(client: httpx.Client) -> None:
    strange = {"must": [{"key": "colour", "match": {"value": "red"}}]}
    answer = ask(client, {"text": "red"}, filter=strange)
    assert names(answer) == []
    assert "colour" in " ".join(answer.json()["warnings"])


@pytest.mark.parametrize(
    ("body", "name", "about"),
    [
        ({"parts": []}, "invalid-query", "empty"),
        ({}, "invalid-query", "empty"),
        ({"parts": [{"text": "  "}]}, "invalid-query", "empty"),
        ({"parts": [{}]}, "invalid-request", "exactly one"),
        ({"parts": [{"text": "a", "point": "0" * 32}]}, "invalid-request", "exactly one"),
        ({"parts": [{"text": "a" * 5000}]}, "invalid-request", "4096"),
        ({"parts": [{"text": "a"}] * 40}, "invalid-request", "32"),
        ({"parts": [{"text": "a", "weight": 0}]}, "invalid-query", "weight"),
        ({"parts": [{"text": "a", "weight": -1}]}, "invalid-query", "positive"),
        ({"parts": [{"text": "a", "weight": 1e9}]}, "invalid-request", "weight"),
        ({"parts": [{"image": "no base64!"}]}, "invalid-request", "image"),
        ({"parts": [{"image": "aGVsbG8="}]}, "unreadable-media", "not an image"),
        ({"parts": [{"text": "a"}], "limit": 0}, "invalid-request", "limit"),
        ({"parts": [{"text": "a"}], "limit": 100_000}, "invalid-request", "limit"),
        ({"parts": [{"text": "a"}], "vector": "q"}, "invalid-query", "default"),
        ({"parts": [{"vector": [0.5]}]}, "invalid-query", "48"),
        ({"parts": [{"vector": [0, 0]}]}, "invalid-query", "not all of them 0"),
        ({"parts": [{"vector": ["a"]}]}, "invalid-request", "vector"),
        ({"parts": [{"text": "a"}], "cursor": "!"}, "invalid-cursor", "not a complete cursor"),
        ({"parts": [{"text": "a"}], "rerank": 9}, "invalid-query", "cannot match"),
        ({"parts": [{"text": "a"}], "diversity": 2}, "invalid-request", "diversity"),
        ({"parts": [{"text": "a"}], "colour": "red"}, "invalid-request", "colour"),
        ({"parts": [{"text": "a"}], "filter": {"all": []}}, "invalid-filter", "all"),
        (
            {"parts": [{"text": "a"}], "filter": {"must": [{"key": "kind", "like": "v"}]}},
            "invalid-filter",
            "like",
        ),
    ],
)
def test_bad_requests_are_explained(
    client: httpx.Client, body: dict[str, Any], name: str, about: str
) -> None:
    assert about in refused(client.post(SEARCH, json=body), 422, name)


def test_bad_json_is_explained(client: httpx.Client) -> None:
    answer = client.post(SEARCH, content=b"{", headers={"content-type": "application/json"})
    assert "JSON" in refused(answer, 422, "invalid-request")


def test_other_content_types_are_refused(client: httpx.Client) -> None:
    answer = client.post(SEARCH, content=b"red", headers={"content-type": "text/plain"})
    refused(answer, 415, "unknown-content-type")


def test_query_picture_that_is_none(client: httpx.Client) -> None:
    answer = client.post(SEARCH, files={"image": ("cat.jpg", b"%PDF-1.7 not a picture")})
    assert "not an image" in refused(answer, 422, "unreadable-media")


def test_query_picture_cut_short(client: httpx.Client) -> None:
    whole = encoded(plain("red", (400, 300)))
    answer = client.post(SEARCH, files={"image": ("cat.jpg", whole[: len(whole) // 2])})
    refused(answer, 422, "unreadable-media")


def test_forms_with_other_fields(client: httpx.Client) -> None:
    red = encoded(plain("red"))
    assert "'photo'" in refused(client.post(SEARCH, files={"photo": red}), 422, "unknown-field")
    strange = client.post(SEARCH, data={"limit": "3"}, files={"image": red})
    assert "'limit'" in refused(strange, 422, "unknown-field")
    refused(client.post(SEARCH, data={"query": "{"}, files={"image": red}), 422, "invalid-request")
    broken = {"content-type": "multipart/form-data"}
    assert client.post(SEARCH, content=b"x", headers=broken).status_code == 400


def test_unknown_collection(client: httpx.Client) -> None:
    answer = client.post("/v1/collections/nowhere/search", json={"parts": [{"text": "red"}]})
    assert "colours" in refused(answer, 404, "unknown-collection")


def test_unknown_point(client: httpx.Client) -> None:
    answer = ask(client, {"point": "00000000-0000-0000-0000-000000000000"})
    refused(answer, 404, "unknown-point")


def test_collection_of_another_encoder(fresh: Served) -> None:
    from indexer import Schema

    schema = Schema({"default": 48}, encoder="other", fingerprint={"text": "another"})
    fresh.installation.store.create("foreign", schema)
    answer = fresh.client.get("/v1/collections/foreign/search", params={"q": "red"})
    assert "another encoder" in refused(answer, 409, "encoder-mismatch")


def test_pictures_beyond_the_pixel_limit(library: Served) -> None:
    data = library.installation.settings.data
    with serving(data, max_image_pixels=100) as small:
        files = {"image": ("photo.jpg", encoded(plain("red")))}
        assert "limit" in refused(small.client.post(SEARCH, files=files), 422, "unreadable-media")


def test_bodies_beyond_the_byte_limit(library: Served) -> None:
    with serving(library.installation.settings.data, max_body_bytes=1_000) as small:
        long = {"parts": [{"text": "a" * 2_000}]}
        refused(small.client.post(SEARCH, json=long), 413, "too-large")
        chunks = iter([b" " * 800] * 3)  # without Content-Length
        headers = {"content-type": "application/json"}
        refused(small.client.post(SEARCH, content=chunks, headers=headers), 413, "too-large")
        files = {"image": ("photo.bmp", encoded(plain("red"), "BMP"))}
        refused(small.client.post(SEARCH, files=files), 413, "too-large")
