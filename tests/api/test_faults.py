"""The service goes on, whatever clients and disks do; each fault has its own status."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

import api.connection
import api.guard
from encoders import Vectors
from encoders.fake import FakeEncoder
from tests.api.routes.test_assets import RED, left_over
from tests.api.routes.test_search import refused
from tests.api.server import Served, serving
from tests.disks import mounted_disk
from tests.media import encoded, plain

ASSETS = "/v1/collections/default/assets"
SHOE = f"{ASSETS}/shoe"
SEARCH = "/v1/collections/default/search"


def goes_on(served: Served) -> None:
    assert served.client.get(SEARCH, params={"q": "red"}).status_code == 200


def connected(served: Served) -> socket.socket:
    address = urlsplit(served.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def raw(served: Served, head: str, body: bytes = b"") -> bytes:
    """What is answered to a request that is sent so far and no further."""
    with connected(served) as connection:
        connection.sendall(f"{head}\r\nHost: localhost\r\n".encode() + body)
        return connection.recv(10_000)


def test_a_full_disk(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", "3m") as disk, serving(disk / "data") as served:
        served.installation.create("default")
        served.client.put(SHOE, content=RED)
        large = b"\x89PNG\r\n\x1a\n" + bytes(6_000_000)
        refused(served.client.put(f"{SHOE}2", content=large), 507, "disk-full")
        goes_on(served)
        assert served.client.get(SHOE).json()["status"] == "done"
        assert served.client.put(SHOE, content=encoded(plain("blue"))).status_code == 200


def test_a_body_that_does_not_come(tmp_path: Path) -> None:
    with serving(tmp_path, request_timeout=0.3) as served:
        served.installation.create("default")
        length = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        answer = raw(served, f"POST {SEARCH} HTTP/1.1", length)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer.lower()
        goes_on(served)


@pytest.mark.parametrize("head", [b"", b"GET /livez HTTP/1.1\r\nHost: local"])
def test_a_head_that_does_not_come(
    fresh: Served, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(api.connection, "HEAD_SECONDS", 0.3)
    with connected(fresh) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b""
    goes_on(fresh)


def trickle(connection: socket.socket) -> None:
    """A head that comes, but slowly."""
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: ")
    for _ in range(1_000):
        connection.sendall(b"A")
        time.sleep(0.01)


def test_a_head_that_does_not_come_after_another(
    fresh: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.connection, "HEAD_SECONDS", 0.3)
    with connected(fresh) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(connection)
    goes_on(fresh)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"GET /livez?{'a' * 70_000} HTTP/1.1", b"414"),
        (f"GET /{'a' * 200_000} HTTP/1.1", b"414"),
        (f"GET /livez HTTP/1.1\r\nX: {'a' * 200_000}", b"431"),
        ("GET /livez HTTP/9.9", b"400"),
    ],
)
def test_heads_that_cannot_be_read_are_told_why(fresh: Served, head: str, status: bytes) -> None:
    answer = raw(fresh, head, b"\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"application/problem+json" in answer
    assert b"urn:polylens:" in answer
    goes_on(fresh)


def test_two_host_names(fresh: Served) -> None:
    """A proxy in front may have looked at the one, and this service at the other."""
    second = "Host: evil.example"
    head = "GET /v1/collections HTTP/1.1"
    for answer in (
        raw(fresh, head, f"{second}\r\n\r\n".encode()),
        raw(fresh, f"{head}\r\n{second}", b"\r\n"),
    ):
        assert answer.startswith(b"HTTP/1.1 421")


def test_a_head_without_an_end(fresh: Served) -> None:
    with connected(fresh) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        endless = b"X: y\r\n" * 5_000_000
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            connection.sendall(endless)
    goes_on(fresh)


def test_a_file_that_stops_coming(fresh: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.guard, "SILENCE_SECONDS", 0.3)
    answer = raw(fresh, f"PUT {SHOE} HTTP/1.1", b"Content-Length: 9000\r\n\r\n\x89PNG")
    assert answer.startswith(b"HTTP/1.1 408")
    assert left_over(fresh) == []
    goes_on(fresh)


def test_an_upload_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten gigabytes, of which little is read and nothing kept."""
    monkeypatch.setattr("api.uploads.SPARE", 1_000_000)
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 10_000_000_000:
            sent += 1_000_000
            yield bytes(1_000_000)

    with serving(tmp_path, max_upload_bytes=1_000_000) as served:
        served.installation.create("default")
        try:
            status = served.client.put(SHOE, content=endless()).status_code
        except httpx.TransportError:  # it hung up on us before we read what it said
            status = 413
        assert status == 413
        assert sent < 1_000_000_000
        assert left_over(served) == []
        goes_on(served)


@pytest.mark.parametrize(
    "head", [f"PUT {SHOE} HTTP/1.1", f"POST {SEARCH} HTTP/1.1\r\nContent-Type: application/json"]
)
def test_ten_gigabytes_that_are_declared_are_not_asked_for(fresh: Served, head: str) -> None:
    length = b"Content-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n"
    assert raw(fresh, head, length).startswith(b"HTTP/1.1 413")
    goes_on(fresh)


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_a_file_that_is_declared_too_large_is_not_asked_for(tmp_path: Path, expect: bytes) -> None:
    """Whoever sends it all the same can use the connection further."""
    with serving(tmp_path, max_upload_bytes=1_000_000) as served, connected(served) as connection:
        served.installation.create("default")
        connection.sendall(f"PUT {SHOE} HTTP/1.1\r\nHost: localhost\r\n".encode())
        connection.sendall(expect + b"Content-Length: 2000000\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 413")
        connection.sendall(bytes(2_000_000))
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")


def test_a_form_larger_than_all_its_files_could_be(fresh: Served) -> None:
    kind = b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 200000000000\r\n\r\n"
    assert raw(fresh, f"POST {ASSETS} HTTP/1.1", kind).startswith(b"HTTP/1.1 413")
    goes_on(fresh)


def test_bodies_that_come_after_the_answer(tmp_path: Path) -> None:
    """Anybody may send them: the connections count as idle, and keep nobody out."""
    with serving(tmp_path, max_connections=5) as served, ExitStack() as stack:
        served.installation.create("default")
        for _ in range(10):
            connection = stack.enter_context(connected(served))
            connection.sendall(b"PUT /nowhere HTTP/1.1\r\nHost: localhost\r\n")
            connection.sendall(b"Content-Length: 1\r\n\r\n")
            assert connection.recv(10_000).startswith(b"HTTP/1.1 404")
            connection.sendall(b"x")
        goes_on(served)


def test_a_thousand_idle_connections(tmp_path: Path) -> None:
    """Those idle longest are closed for others; one that is at work stays."""
    with serving(tmp_path, max_connections=20) as served, ExitStack() as stack:
        served.installation.create("default")
        upload = stack.enter_context(connected(served))
        upload.sendall(f"PUT {SHOE} HTTP/1.1\r\nHost: localhost\r\n".encode())
        upload.sendall(b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(RED))
        assert upload.recv(100).startswith(b"HTTP/1.1 100")
        idle = [stack.enter_context(connected(served)) for _ in range(1_000)]
        for _ in range(3):
            goes_on(served)
        assert idle[0].recv(1_000).startswith(b"HTTP/1.1 503")
        upload.sendall(RED)
        assert upload.recv(1_000).startswith(b"HTTP/1.1 201")


def test_a_hundred_who_begin_to_sign_in(tmp_path: Path) -> None:
    """Nobody needs a key for that, so it keeps nobody out."""
    with serving(tmp_path, max_connections=20) as served, ExitStack() as stack:
        served.installation.create("default")
        for _ in range(100):
            connection = stack.enter_context(connected(served))
            connection.sendall(b"POST /v1/session HTTP/1.1\r\nHost: localhost\r\n")
            connection.sendall(b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
        for _ in range(3):
            goes_on(served)


def test_connections_that_all_work(tmp_path: Path) -> None:
    """They are answered; a new one is told to come back."""
    with serving(tmp_path, max_connections=2) as served, ExitStack() as stack:
        served.installation.create("default")
        uploads = [stack.enter_context(connected(served)) for _ in range(2)]
        for upload in uploads:
            upload.sendall(f"PUT {SHOE} HTTP/1.1\r\nHost: localhost\r\n".encode())
            upload.sendall(b"Content-Length: 9000\r\nExpect: 100-continue\r\n\r\n")
            assert upload.recv(100).startswith(b"HTTP/1.1 100")
        with connected(served) as third:
            assert b"too-many-connections" in third.recv(1_000)
        for upload in uploads:
            upload.sendall(bytes(9_000))
            assert upload.recv(1_000).startswith(b"HTTP/1.1 415")
        goes_on(served)


def test_oversized_json(fresh: Served) -> None:
    answer = fresh.client.post(SEARCH, json={"parts": [{"text": "x" * 40_000_000}]})
    refused(answer, 413, "too-large")
    deep = b'{"filter":' + b'{"must":[' * 50_000
    answer = fresh.client.post(SEARCH, content=deep, headers={"content-type": "application/json"})
    refused(answer, 422, "invalid-request")
    goes_on(fresh)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_replaced_and_shown(
    fresh: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = FakeEncoder.encode_texts

    def die(encoder: FakeEncoder, texts: Sequence[str]) -> Vectors:
        if "die" in texts:
            raise SystemExit("killed")
        return encode(encoder, texts)

    goes_on(fresh)
    monkeypatch.setattr(FakeEncoder, "encode_texts", die)
    assert fresh.client.get(SEARCH, params={"q": "die"}).status_code == 500
    assert fresh.client.get("/readyz").json()["workers_replaced"] == 1
    assert fresh.client.get(SEARCH, params={"q": "blue"}).status_code == 200
