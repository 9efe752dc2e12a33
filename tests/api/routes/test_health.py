import time
from pathlib import Path

import httpx

from tests.api.routes.test_search import refused
from tests.api.server import serving


def test_alive(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}


def test_ready_once_the_model_is_loaded(client: httpx.Client) -> None:
    for _ in range(500):
        if client.get("/readyz").status_code == 200:
            break
        time.sleep(0.01)
    assert client.get("/readyz").json() == {"status": "ready", "heads": [], "workers_replaced": 0}


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path, encoder="no-such-model") as served:
        answer = served.client.get("/readyz")
        refused(answer, 503, "not-ready")
        assert int(answer.headers["retry-after"]) > 0
        made = served.client.post("/v1/collections", json={"name": "x"})
        assert "no-such-model" in refused(made, 503, "model-unavailable")
        assert served.client.get("/livez").status_code == 200
