"""SIGTERM: what is under way is answered, nothing new is taken, jobs go on at the next start."""

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import httpx

from ingestion import Journal
from tests.api.processes import process
from tests.api.routes.test_jobs import ended, events, reached, submit
from tests.ingestion.web_server import WebServer
from tests.media import encoded, plain, save_pictures

HERE = json.dumps(["127.0.0.1"])
ONE = "/v1/collections/default"


def refuses(url: str) -> None:
    """Wait until no connection is accepted; until then it says that it is about to end."""
    while True:
        try:
            answer = httpx.get(f"{url}/readyz")
        except httpx.ConnectError:
            return
        assert answer.status_code in (200, 503)


def waiting(pool: Executor, client: httpx.Client) -> Future[httpx.Response]:
    """A search that waits for the encoder."""
    while True:
        search = pool.submit(client.get, f"{ONE}/search", params={"q": "red"})
        while not search.done():
            if 'polylens_queue_depth{encoder="fake"} 1.0' in client.get("/metrics").text:
                return search


def test_sigterm_with_a_search_an_upload_a_stream_and_a_job_under_way(
    tmp_path: Path, web: WebServer
) -> None:
    settings = {
        "encoder": "fake",
        "batch_wait_ms": "1000",  # so that a search takes a second
        "roots": json.dumps([str(tmp_path / "photos")]),
        "fetch_hosts": HERE,
        "fetch_private_hosts": HERE,
    }
    save_pictures(tmp_path / "photos", 3)
    begun, rest = threading.Event(), threading.Event()

    def halves() -> Iterator[bytes]:
        picture = encoded(plain("red"))
        yield picture[:100]
        begun.set()
        rest.wait(20)
        yield picture[100:]

    with process(tmp_path / "data", settings) as first, ThreadPoolExecutor(3) as pool:
        client = first.client
        client.post("/v1/collections", json={"name": "default"}).raise_for_status()
        job = submit(client, tmp_path / "photos", f"{web.url}/slow.jpg")["id"]
        reached(client, job, done=3)
        told = events(client, job)
        assert next(told)[0] == "progress"
        upload = pool.submit(client.put, f"{ONE}/assets/shoe", content=halves())
        assert begun.wait(20)
        search = waiting(pool, client)
        first.child.send_signal(signal.SIGTERM)
        refuses(first.url)
        assert not upload.done()
        assert "end" not in [name for name, _, _ in told]
        rest.set()
        assert upload.result().status_code == 201
        assert search.result().status_code == 200
        web.held["/slow.jpg"].set()
        assert first.child.wait(20) == 0
    (record,) = Journal(tmp_path / "data").latest()
    assert record.state == "queued"
    with process(tmp_path / "data", settings) as second:
        counts = ended(second.client, job)["counts"]
        assert counts["done"] + counts["unchanged"] == 4
        assert second.client.get(f"{ONE}/assets/shoe").json()["status"] == "done"
