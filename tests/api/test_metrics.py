"""Metrics, the request log, deadlines and clients that leave."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.logs import JsonFormatter, access
from encoders import Vectors
from encoders.fake import FakeEncoder
from indexer import LocalCollection, Point
from tests.api.server import Served, serving
from tests.api.test_batching import eventually
from tests.media import encoded, plain

SEARCH = "/v1/collections/default/search"


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Served]:
    """It gives up after a second."""
    with serving(tmp_path, request_timeout=1.0) as served:
        served.installation.create("default")
        yield served


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The encoder does not come back from a text before this is set; `held.texts` are its texts."""
    go = threading.Event()
    texts: list[str] = []
    encode = FakeEncoder.encode_texts

    def slow(encoder: FakeEncoder, asked: Sequence[str]) -> Vectors:
        texts.extend(asked)
        if "warm up" not in asked:
            go.wait(10)
        return encode(encoder, asked)

    monkeypatch.setattr(FakeEncoder, "encode_texts", slow)
    go.texts = texts  # type: ignore[attr-defined]
    yield go
    go.set()


def sample(fresh: Served, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(fresh.client.get("/metrics").text)
    return sum(
        s.value
        for family in families
        for s in family.samples
        if s.name == name and labels.items() <= s.labels.items()
    )


def test_requests_and_stages_are_counted(fresh: Served) -> None:
    for _ in range(3):
        assert fresh.client.get(SEARCH, params={"q": "red"}).status_code == 200
    assert fresh.client.get("/v1/collections/nowhere").status_code == 404
    route = "/v1/collections/{name}/search"
    eventually(lambda: sample(fresh, "polylens_requests_total", route=route, status="200") == 3)
    assert sample(fresh, "polylens_requests_total", status="404") == 1
    assert sample(fresh, "polylens_request_seconds_count", route=route) == 3
    assert sample(fresh, "polylens_stage_seconds_count", stage="forward") >= 1
    assert sample(fresh, "polylens_stage_seconds_count", stage="search") == 3
    assert sample(fresh, "polylens_stage_seconds_count", stage="serialise") == 3
    assert sample(fresh, "polylens_collection_points", collection="default") == 0
    assert sample(fresh, "polylens_queue_depth", encoder="fake") == 0


def test_the_stages_of_a_search_by_picture(fresh: Served) -> None:
    picture = {"image": ("red.png", encoded(plain("red"), "PNG"))}
    assert fresh.client.post(SEARCH, files=picture).status_code == 200
    assert sample(fresh, "polylens_stage_seconds_count", stage="preprocess") == 2


def test_how_it_stands(fresh: Served) -> None:
    store = fresh.installation.store.open("default")
    assert isinstance(store, LocalCollection)
    rows = np.eye(48, dtype=np.float32)
    store.upsert([Point(uuid4(), "a:", {"default": row}) for row in rows])
    store.seal()
    now = fresh.client.get("/v1/status").json()
    [collection] = now["collections"]
    [index] = collection["indexes"]
    [segment] = index["segments"]
    assert (collection["name"], collection["points"], index["unsealed"]) == ("default", 48, 0)
    assert (segment["rows"], segment["usable"]) == (48, True)
    assert collection["bytes"] >= 48 * 48 * 4
    assert now["encoders"][0]["name"] == "fake"
    assert 0 < now["disk"]["free"] < now["disk"]["total"]
    assert now["ready"]
    assert sample(fresh, "polylens_segments", collection="default", state="usable") == 1
    assert sample(fresh, "polylens_unsealed_points", collection="default") == 0
    assert sample(fresh, "polylens_disk_free_bytes") > 0


def test_a_gauge_forgets_what_is_gone(fresh: Served) -> None:
    fresh.installation.create("other")
    assert 'collection="other"' in fresh.client.get("/metrics").text
    fresh.installation.store.drop("other")
    assert 'collection="other"' not in fresh.client.get("/metrics").text


def test_paths_do_not_become_labels(fresh: Served) -> None:
    for number in range(20):
        fresh.client.get(f"/nowhere/{number}")
    text = fresh.client.get("/metrics").text
    assert "nowhere" not in text
    eventually(lambda: sample(fresh, "polylens_requests_total", route="none", status="404") == 20)


def test_metrics_need_a_key_where_there_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=["0" * 64]) as closed:
        assert closed.client.get("/metrics").status_code == 401


def test_a_request_has_a_line_in_the_log(fresh: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, access.name):
        fresh.client.get("/v1/collections", headers={"x-request-id": "job-7"})
        eventually(lambda: bool(caplog.records))  # it is written when the answer is out
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert line.pop("ms") > 0
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "polylens.access",
        "message": caplog.records[-1].getMessage(),
        "request_id": "job-7",
        "method": "GET",
        "path": "/v1/collections",
        "status": 200,
        "key": "anyone",
    }


def test_a_deadline_reaches_the_queue(hasty: Served, held: threading.Event) -> None:
    first = threading.Thread(
        target=lambda: httpx.get(hasty.url + SEARCH, params={"q": "first"}, timeout=30)
    )
    first.start()
    eventually(lambda: "first" in held.texts)  # type: ignore[attr-defined]
    late = hasty.client.get(SEARCH, params={"q": "late"})
    assert late.status_code == 503
    assert late.json()["type"] == "urn:polylens:too-late"
    assert late.headers["retry-after"] == "1"
    held.set()
    first.join()
    assert hasty.client.get(SEARCH, params={"q": "after"}).status_code == 200
    assert "late" not in held.texts  # type: ignore[attr-defined]


def test_a_client_that_leaves_is_not_worked_for(fresh: Served, held: threading.Event) -> None:
    first = threading.Thread(
        target=lambda: httpx.get(fresh.url + SEARCH, params={"q": "first"}, timeout=30)
    )
    first.start()
    eventually(lambda: "first" in held.texts)  # type: ignore[attr-defined]
    host, port = fresh.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as leaving:
        request = f"GET {SEARCH}?q=leaving HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        leaving.sendall(request.encode())
        encoder = fresh.installation.encoder()
        eventually(lambda: encoder.waiting == 1)
    time.sleep(0.2)  # for the server to see it leave
    held.set()
    first.join()
    assert fresh.client.get(SEARCH, params={"q": "after"}).status_code == 200
    assert "leaving" not in held.texts  # type: ignore[attr-defined]
