import httpx

from tests.api.routes.test_search import refused
from tests.api.server import Served


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    for path in ("/", "/livez", "/v1/collections", "/nowhere", "/static/main.js"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_answers_about_data_are_not_stored(client: httpx.Client) -> None:
    assert client.get("/v1/collections").headers["cache-control"] == "no-store"


def test_text_is_compressed_and_media_are_not(client: httpx.Client) -> None:
    assert client.get("/openapi.json").headers["content-encoding"] == "gzip"
    assert client.get("/static/main.js").headers["content-encoding"] == "gzip"
    plainly = client.get("/openapi.json", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plainly.headers
    assert plainly.headers["vary"] == "Accept-Encoding"
    points = client.get("/v1/collections/colours/points").json()["points"]
    for what in ("thumbnail", "original"):
        answer = client.get(f"/v1/collections/colours/points/{points[0]['id']}/{what}")
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content)


def test_head_is_answered_wherever_get_is(library: Served) -> None:
    points = "/v1/collections/colours/points"
    point = library.client.get(points).json()["points"][0]["id"]
    for path in ("/", "/livez", "/v1/status", "/openapi.json", "/static/main.js", "/v2/nothing",
                 points, f"{points}/{point}/original", f"{points}/{point}/thumbnail"):  # fmt: skip
        # one connection: what was sent beyond the head would be taken for the next answer
        head, got = library.client.head(path), library.client.get(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers.keys() == got.headers.keys()
    assert library.client.head("/v1/classify").status_code == 405


def test_request_ids(client: httpx.Client) -> None:
    first, second = (client.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second
    given = client.get("/livez", headers={"x-request-id": "job-7.a"})
    assert given.headers["x-request-id"] == "job-7.a"
    strange = client.get("/livez", headers={"x-request-id": "a b\tc"})
    assert strange.headers["x-request-id"] != "a b\tc"


def test_unknown_paths_and_methods_are_problems(client: httpx.Client) -> None:
    refused(client.get("/v2/nothing"), 404, "not-found")
    answer = client.put("/v1/collections")
    refused(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    answer = client.post("/v1/collections/colours/points/x/original")
    assert answer.headers["allow"] == "GET, HEAD"


def test_static_files_stay_inside(client: httpx.Client) -> None:
    for path in ("/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/"):
        assert client.get(path).status_code in (404, 405)
