from pathlib import Path

import httpx
import pytest

from api.security import InsecureSettings, Policy, host_name, is_loopback
from api.settings import Settings
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving

DIGEST = "0" * 64


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.5", "", "[::2]", "a b"],
)
def test_foreign_host_names_are_refused(client: httpx.Client, host: str) -> None:
    for path in ("/", "/v1/collections", "/static/main.js"):
        refused(client.get(path, headers={"host": host}), 421, "unknown-host")
    assert client.get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:1234", "[::1]:8000"])
def test_own_host_names_are_taken(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/collections", headers={"host": host}).status_code == 200


def test_configured_host_names_are_taken(tmp_path: Path) -> None:
    with serving(tmp_path, allowed_hosts=["Photos.example"]) as served:
        headers = {"host": "photos.example", "origin": "https://photos.example"}
        assert served.client.get("/v1/collections", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "file://", ""]
)
def test_foreign_origins_are_refused(client: httpx.Client, origin: str) -> None:
    answer = client.post("/v1/collections", json={"name": "x"}, headers={"origin": origin})
    refused(answer, 403, "foreign-origin")


def test_an_origin_that_is_no_url_is_refused(client: httpx.Client) -> None:
    assert client.get("/v1/collections", headers={"origin": "http://["}).status_code == 403


def test_own_origin_is_taken(library: Served) -> None:
    answer = library.client.get("/v1/collections", headers={"origin": library.url})
    assert answer.status_code == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_other_sites_may_link_but_not_embed(client: httpx.Client) -> None:
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    refused(client.get("/v1/collections", headers=embedded), 403, "foreign-origin")
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=followed).status_code == 200


def test_beyond_loopback_a_key_is_needed(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "photos.lan"):
        with pytest.raises(InsecureSettings, match="polylens keys add"):
            Policy(Settings(data=tmp_path, host=host))
        Policy(Settings(data=tmp_path, host=host, api_keys=[DIGEST]))


def test_beyond_loopback_addresses_are_taken_and_names_are_not(tmp_path: Path) -> None:
    from starlette.requests import Request

    policy = Policy(Settings(data=tmp_path, host="0.0.0.0", api_keys=[DIGEST]))

    def request(host: str) -> Request:
        headers = [(b"host", host.encode())]
        return Request(
            {
                "type": "http",
                "path": "/",
                "headers": headers,
                "query_string": b"",
                "server": ("x", 1),
            }
        )

    policy.check(request("192.168.1.7:8000"))
    with pytest.raises(Exception, match="421"):
        policy.check(request("photos.lan"))


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "")))


def test_host_name() -> None:
    assert host_name("Photos.Example.:80") == "photos.example"
    assert host_name("[::1]:80") == "::1"
    assert host_name("[::1") == ""
