"""Keys, what each may do, sessions, and how often anybody may call."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from api.keys import SCOPES, Keys, NameTaken, Scope
from api.limits import RateLimit
from api.problems import Refusal
from api.routes import ROUTES
from api.security import Policy
from api.settings import Settings
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.media import encoded, plain


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys([], tmp_path)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[Scope, str]]]:
    """A service with a key of each scope, and an empty collection."""
    with serving(tmp_path_factory.mktemp("guarded")) as served:
        served.installation.create("default")
        keys = Keys([], served.installation.settings.data)
        yield served, {scope: keys.add(f"{scope} key", scope) for scope in SCOPES}


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_a_key_is_found_by_its_text_alone(keys: Keys, tmp_path: Path) -> None:
    assert not keys.required
    text = keys.add("page", "read")
    found = keys.find(text)
    assert found is not None
    assert (found.name, found.scope) == ("page", "read")
    assert keys.find(text + "x") is None
    assert text.encode() not in (tmp_path / "polylens.db").read_bytes()


def test_keys_count_at_once_in_every_process(keys: Keys, tmp_path: Path) -> None:
    other = Keys([], tmp_path)
    text = other.add("late", "write")
    assert keys.find(text) is not None
    assert other.revoke("late")
    assert keys.find(text) is None
    assert not other.revoke("late")


def test_two_keys_cannot_have_one_name(keys: Keys) -> None:
    keys.add("page", "read")
    for name in ("page", "settings"):
        with pytest.raises(NameTaken, match=name):
            keys.add(name, "admin")


def test_scopes_include_the_ones_before(keys: Keys) -> None:
    for index, scope in enumerate(SCOPES):
        found = keys.find(keys.add(scope, scope))
        assert found is not None
        assert [found.may(other) for other in SCOPES] == [n <= index for n in range(3)]


def test_a_session_ends_with_its_key(keys: Keys) -> None:
    text = keys.add("page", "read")
    cookie = keys.open_session(text)
    assert cookie is not None
    session = keys.of_session(cookie)
    assert session is not None
    assert session.name == "page"
    assert keys.of_session(cookie[:-1] + ("0" if cookie[-1] != "0" else "1")) is None
    keys.revoke("page")
    assert keys.of_session(cookie) is None


def test_each_scope_may_do_its_part(guarded: tuple[Served, dict[Scope, str]]) -> None:
    served, texts = guarded
    photo = {"files": ("red.jpg", encoded(plain("red")))}
    for scope, text in texts.items():
        headers = bearer(text)

        def code(method: str, path: str, headers: dict[str, str] = headers, **body: object) -> int:
            return served.client.request(method, path, headers=headers, **body).status_code  # type: ignore[arg-type]

        level = SCOPES.index(scope)
        assert code("GET", "/v1/collections") == 200
        query = {"parts": [{"text": "red"}]}
        assert code("POST", "/v1/collections/default/search", json=query) == 200
        upload = code("POST", "/v1/collections/default/assets", files=photo)
        assert upload == (200 if level >= 1 else 403)
        made = code("POST", "/v1/collections", json={"name": f"made-by-{scope}"})
        assert made == (201 if level >= 2 else 403)


def test_a_refusal_names_the_scope(guarded: tuple[Served, dict[Scope, str]]) -> None:
    served, texts = guarded
    answer = served.client.delete("/v1/collections/default", headers=bearer(texts["write"]))
    refused(answer, 403, "key-may-not")
    assert "'admin'" in answer.json()["detail"]


def test_the_page_signs_in_with_a_made_key(guarded: tuple[Served, dict[Scope, str]]) -> None:
    served, texts = guarded
    with httpx.Client(base_url=served.url) as browser:
        assert browser.get("/v1/collections").status_code == 401
        assert browser.post("/v1/session", json={"key": texts["read"]}).status_code == 204
        assert browser.get("/v1/collections").status_code == 200
        assert browser.delete("/v1/collections/default").status_code == 403


def test_every_route_that_changes_something_names_its_scope() -> None:
    """Reading is for every key; a route that forgets to ask for more would be open to them."""
    asking = {
        "/v1/session",
        "/v1/collections/{name}/search",
        "/v1/collections/{name}/points/scroll",
        "/v1/collections/{name}/points/count",
        "/v1/embeddings",
        "/v1/rerank",
        "/v2/rerank",
        "/v1/chat/completions",
        "/v1/segment",
        "/v1/caption",
        "/v1/classify",
    }
    routes = [route for route in ROUTES if isinstance(route, APIRoute)]
    changing = [r for r in routes if (r.methods or set()) - {"GET", "HEAD"}]
    assert len(changing) > len(asking)
    for route in changing:
        assert route.dependencies or route.path in asking, f"{route.methods} {route.path}"


def test_guessing_slows_down(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=["0" * 64]) as served:
        codes = [
            served.client.get("/v1/collections", headers=bearer(f"guess {n}")).status_code
            for n in range(25)
        ]
        signed = served.client.post("/v1/session", json={"key": "guess"})
    assert codes[:20] == [401] * 20
    assert set(codes[20:]) == {429}
    assert signed.status_code == 429
    assert int(signed.headers["retry-after"]) >= 1


def test_a_caller_has_a_rate_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path, rate_limit=0.1) as served:
        keys = Keys([], tmp_path)
        first, second = (bearer(keys.add(name, "read")) for name in ("first", "second"))
        codes = [served.client.get("/v1/models", headers=first).status_code for _ in range(12)]
        assert codes == [200] * 10 + [429] * 2
        assert served.client.get("/v1/models", headers=second).status_code == 200
        assert served.client.get("/livez").status_code == 200


def test_a_bucket_fills_with_time() -> None:
    now = 0.0
    limit = RateLimit(rate=2, burst=3, clock=lambda: now)
    assert [limit.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now = 0.5
    assert limit.wait("a") == 0
    assert limit.wait("a") == pytest.approx(0.5)
    assert limit.wait("b") == 0


def test_without_any_key_left_nobody_comes_in_from_outside(tmp_path: Path) -> None:
    keys = Keys([], tmp_path)
    text = keys.add("only", "admin")
    policy = Policy(Settings(data=tmp_path, host="0.0.0.0"))
    scope = {
        "type": "http",
        "path": "/v1/collections",
        "headers": [(b"host", b"10.0.0.5"), (b"authorization", f"Bearer {text}".encode())],
        "query_string": b"",
        "server": ("x", 1),
    }
    assert policy.check(HTTPConnection(scope)) is not None
    keys.revoke("only")
    with pytest.raises(Refusal, match="401"):
        policy.check(HTTPConnection(scope))
