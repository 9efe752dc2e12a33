import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.routes.test_search import refused
from tests.api.server import Served, serving

KEY = "correct horse battery staple"
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()
OTHER = hashlib.sha256(b"another").hexdigest()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, api_keys=[OTHER, DIGEST.upper()]) as served:
        yield served


def sign_in(client: httpx.Client, key: str = KEY) -> httpx.Response:
    return client.post("/v1/session", json={"key": key})


def test_everything_but_probes_and_the_bare_page_needs_a_key(closed: Served) -> None:
    client = closed.client
    for path in ("/v1/collections", "/docs", "/openapi.json", "/nowhere", "/v1/session/x"):
        answer = client.get(path)
        refused(answer, 401, "key-required")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/livez", "/", "/static/main.js"):
        assert client.get(path).status_code == 200


def test_bearer_key(closed: Served) -> None:
    good = {"authorization": f"Bearer {KEY}"}
    assert closed.client.get("/v1/collections", headers=good).status_code == 200
    for bad in ("Bearer wrong", f"Basic {KEY}", "Bearer", f"Bearer {DIGEST}", KEY):
        answer = closed.client.get("/v1/collections", headers={"authorization": bad})
        refused(answer, 401, "unknown-key")


def test_cookie(closed: Served) -> None:
    answer = sign_in(closed.client)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    assert DIGEST not in cookie
    assert closed.client.get("/v1/collections").status_code == 200
    closed.client.delete("/v1/session").raise_for_status()
    refused(closed.client.get("/v1/collections"), 401, "key-required")


def test_wrong_key(closed: Served) -> None:
    answer = sign_in(closed.client, "wrong")
    refused(answer, 401, "unknown-key")
    assert "set-cookie" not in answer.headers


def test_forged_cookies(closed: Served) -> None:
    sign_in(closed.client)
    good = closed.client.cookies["polylens"]
    key, until, signature = good.split(".")
    later = str(int(until) + 1)
    forged = (
        f"{key}.{later}.{signature}",
        f"{'0' * 16}.{until}.{signature}",
        f"{key}.{until}.",
        "x",
    )
    closed.client.cookies.clear()
    for cookie in forged:
        answer = closed.client.get("/v1/collections", headers={"cookie": f"polylens={cookie}"})
        refused(answer, 401, "key-required")


def test_a_session_outlives_a_restart_and_ends_with_its_key(closed: Served) -> None:
    sign_in(closed.client)
    cookie = {"cookie": f"polylens={closed.client.cookies['polylens']}"}
    data = closed.installation.settings.data
    with serving(data, api_keys=[DIGEST]) as again:
        assert again.client.get("/v1/collections", headers=cookie).status_code == 200
    with serving(data, api_keys=[OTHER]) as without:
        refused(without.client.get("/v1/collections", headers=cookie), 401, "key-required")


def test_secret_is_for_its_owner_alone(closed: Served) -> None:
    sign_in(closed.client)
    secret = closed.installation.settings.data / "session.secret"
    assert secret.stat().st_mode & 0o077 == 0


def test_what_a_caller_may_do(closed: Served, client: httpx.Client) -> None:
    refused(closed.client.get("/v1/session"), 401, "key-required")
    sign_in(closed.client)
    assert closed.client.get("/v1/session").json() == {"scope": "admin"}
    assert client.get("/v1/session").json() == {"scope": "admin"}
