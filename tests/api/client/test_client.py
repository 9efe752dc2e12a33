"""The Python client against a running service."""

import asyncio
import base64
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from api.client import AsyncClient, Client, ServiceError
from api.schemas.jobs import JobOut
from encoders.fake import FakeEncoder
from tests.api.server import Served, serving
from tests.media import encoded, plain, save_pictures


@pytest.fixture
def client(library: Served) -> Iterator[Client]:
    with Client(library.url) as client:
        yield client


def test_search_by_text_picture_and_point(client: Client) -> None:
    by_text = client.search("colours", "red", limit=1)
    assert by_text.hits[0].payload["name"] in ("red.jpg", "film.mp4")
    by_image = client.search("colours", image=encoded(plain("blue")), limit=2)
    assert {hit.payload["name"] for hit in by_image.hits} == {"blue.jpg", "film.mp4"}
    point = by_image.hits[0].id
    assert client.search("colours", point=str(point), limit=1).hits
    only = {"must": [{"key": "kind", "match": {"value": "image"}}]}
    found = client.search("colours", "red", filter=only, limit=3)
    assert {hit.payload["kind"] for hit in found.hits} == {"image"}


def test_collections_and_vectors(client: Client) -> None:
    assert [found.name for found in client.collections().collections] == ["colours"]
    sent = f"data:image/png;base64,{base64.b64encode(encoded(plain('red'), 'PNG')).decode()}"
    text, image = client.embed(["red", sent])
    assert len(text) == len(image) == FakeEncoder.info.vectors["default"]


def test_files_are_uploaded(tmp_path: Path) -> None:
    photo, note = tmp_path / "rot.jpg", tmp_path / "note.txt"
    photo.write_bytes(encoded(plain("red")))
    note.write_text("milk")
    with serving(tmp_path / "data") as served, Client(served.url) as client:
        served.installation.create("default")
        report = client.upload("default", [photo, note])
        assert [item.status for item in report.items] == ["done", "skipped"]
        with pytest.raises(ServiceError, match="no file"):
            client.upload("default", [])


def test_texts_are_uploaded(fresh: Served) -> None:
    async def add(text: str) -> str:
        async with AsyncClient(fresh.url) as client:
            return (await client.upload_texts("default", [text])).items[0].status

    with Client(fresh.url) as client:
        note = {"text": "the sea", "id": "note-1", "payload": {"album": "Lisbon"}}
        report = client.upload_texts("default", ["a red door", "", note])
        assert client.asset("default", "note-1").points == 1
    assert [item.status for item in report.items] == ["done", "failed", "done"]
    assert asyncio.run(add("a red door")) == "unchanged"


def test_jobs_are_submitted_watched_and_cancelled(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save_pictures(folder, 2)

    async def follow(url: str, job: int) -> list[JobOut]:
        async with AsyncClient(url) as client:
            return [state async for state in client.watch(job)]

    with serving(tmp_path / "data", roots=[folder]) as served, Client(served.url) as client:
        served.installation.create("default")
        assert client.plan_job("default", [str(folder)]).new == 2
        job = client.submit_job("default", [str(folder)], force=True)
        *_, last = client.watch(job.id)
        assert (last.state, last.counts.done, last.options) == ("done", 2, {"force": True})
        assert client.job(job.id) == last
        assert asyncio.run(follow(served.url, job.id)) == [last]
        with pytest.raises(ServiceError, match="is over") as refused:
            client.cancel_job(job.id)
        assert refused.value.status == 409
        with pytest.raises(ServiceError, match="no job 9"):
            list(client.watch(9))
    with Client(served.url, patience=0.1) as client, pytest.raises(ServiceError, match="reached"):
        list(client.watch(job.id))


def test_the_same_without_blocking(library: Served) -> None:
    async def both() -> list[str]:
        async with AsyncClient(library.url) as client:
            answers = await asyncio.gather(
                *(client.search("colours", colour, limit=1) for colour in ("red", "blue"))
            )
            await client.collections()
            await client.embed(["red"])
        return [str(answer.hits[0].payload["name"]) for answer in answers]

    first, second = asyncio.run(both())
    assert first in ("red.jpg", "film.mp4")
    assert second in ("blue.jpg", "film.mp4")


def test_a_refusal_says_why(client: Client) -> None:
    with pytest.raises(ServiceError, match="nowhere") as refused:
        client.search("nowhere", "red")
    assert refused.value.status == 404
    with pytest.raises(ServiceError, match="1 to 256 inputs") as refused:
        client.embed([])
    assert refused.value.status == 400


def test_a_key_is_sent(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=["0" * 64]) as served:
        with Client(served.url) as client, pytest.raises(ServiceError, match="API key"):
            client.collections()
        with Client(served.url, key="wrong") as client, pytest.raises(ServiceError) as refused:
            client.collections()
    assert refused.value.status == 401


def test_a_service_that_is_away() -> None:
    with (
        Client("http://127.0.0.1:9", patience=0.5) as client,
        pytest.raises(ServiceError, match="cannot be reached") as away,
    ):
        client.collections()
    assert away.value.status == 0


class Busy(BaseHTTPRequestHandler):
    """Refuses twice, then answers."""

    asked = 0

    def do_GET(self) -> None:
        Busy.asked += 1
        body = b'{"collections": [], "default": null}' if Busy.asked > 2 else b"{}"
        self.send_response(200 if Busy.asked > 2 else 429)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_busy_service_is_asked_again() -> None:
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        with Client(f"http://127.0.0.1:{server.server_port}") as client:
            assert client.collections().collections == []
        server.shutdown()
        thread.join()
    assert Busy.asked == 3


def test_what_may_have_been_done_is_not_asked_for_again() -> None:
    """A connection that breaks off after the request says nothing of what became of it."""
    heard: list[bytes] = []

    def hang_up(listening: socket.socket) -> None:
        with suppress(OSError):  # once it listens no longer
            while True:
                connection, _ = listening.accept()
                with connection:
                    heard.append(connection.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=hang_up, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with Client(url, patience=1) as client:
            with pytest.raises(ServiceError, match="before you ask again"):
                client.create_snapshot("default")
            assert len(heard) == 1
            with pytest.raises(ServiceError, match="cannot be reached"):
                client.snapshots()
            assert len(heard) > 2
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
