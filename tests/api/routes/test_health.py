import time
from pathlib import Path

import httpx
import pytest

from tests.api.routes.test_search import refused
from tests.api.server import serving
from tests.indexer.qdrant.loopback import loopback


def test_alive(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}


READY = {"status": "ready", "heads": [], "workers_replaced": 0}


def until_ready(client: httpx.Client) -> object:
    for _ in range(500):
        if client.get("/readyz").status_code == 200:
            break
        time.sleep(0.01)
    return client.get("/readyz").json()


def test_ready_once_the_model_is_loaded(client: httpx.Client) -> None:
    assert until_ready(client) == READY


def test_ready_once_the_server_of_the_collections_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.service.AGAIN", 0.05)
    with loopback() as server:
        server.always = "401"
        with serving(tmp_path, qdrant_url=server.url) as served:
            for _ in range(500):
                why = refused(served.client.get("/readyz"), 503, "not-ready")
                if "log says" in why:
                    break
                time.sleep(0.01)
            assert "the service's log says what hinders it" in why
            server.always = "none"
            assert until_ready(served.client) == READY


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path, encoder="no-such-model") as served:
        answer = served.client.get("/readyz")
        refused(answer, 503, "not-ready")
        assert int(answer.headers["retry-after"]) > 0
        made = served.client.post("/v1/collections", json={"name": "x"})
        assert "no-such-model" in refused(made, 503, "model-unavailable")
        assert served.client.get("/livez").status_code == 200
