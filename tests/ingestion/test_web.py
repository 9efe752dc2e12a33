import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer import LocalCollection
from ingestion import BadManifest, IngestError, MediaError, Reach, SourceOptions, open_source
from ingestion import web as module
from ingestion.reach import NotAllowed
from ingestion.web import Web
from tests import media as make
from tests.ingestion.conftest import ingested, payloads
from tests.ingestion.test_archive import jpeg, save_tar
from tests.ingestion.web_server import WebServer, web_server

HERE = Reach(("127.0.0.1",), ("127.0.0.1",))
LIMIT = 10_000_000


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def fetched(url: str, reach: Reach = HERE, limit: int = LIMIT) -> bytes:
    target = io.BytesIO()
    Web(reach).copy(url, target, limit)
    return target.getvalue()


def test_a_file_is_fetched_and_redirects_are_followed(server: WebServer) -> None:
    server.files["/x%20y"] = b"hello"
    server.redirects |= {"/a": "/b", "/b": f"{server.url}/x y"}
    assert fetched(f"{server.url}/a") == b"hello"
    server.redirects["/loop"] = "/loop"
    with pytest.raises(MediaError, match="redirected more than 5 times"):
        fetched(f"{server.url}/loop")


def test_passing_troubles_are_waited_out(server: WebServer) -> None:
    server.files["/x"] = b"hello"
    server.troubles["/x"] = [503, 429]
    assert fetched(f"{server.url}/x") == b"hello"
    server.troubles["/x"] = [500, 500, 500]
    with pytest.raises(MediaError, match="answered 500"):
        fetched(f"{server.url}/x")
    with pytest.raises(MediaError, match="answered 404"):
        fetched(f"{server.url}/y")
    assert server.asked == {"/x": 6, "/y": 1}


def test_limits_hold_whatever_the_server_says(server: WebServer) -> None:
    server.files["/x"] = bytes(1001)
    with pytest.raises(MediaError, match="larger than the limit"):
        fetched(f"{server.url}/x", limit=1000)


def test_an_answer_cut_short_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(9999)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(MediaError, match=r"cannot be fetched|cut short"):
            fetched(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()


def test_a_server_that_drips_is_given_up(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/x"] = b"hello"
    monkeypatch.setattr(module, "GRACE", 0.0)
    monkeypatch.setattr(module, "SLOWEST", 1e12)
    with pytest.raises(MediaError, match="bytes a second"):
        fetched(f"{server.url}/x")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/x",
        "http://127.1:{port}/x",
        "http://2130706433:{port}/x",
        "http://0x7f000001:{port}/x",
        "http://[::1]:{port}/x",
        "http://[::ffff:127.0.0.1]:{port}/x",
        "http://0.0.0.0:{port}/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[64:ff9b::7f00:1]:{port}/x",
    ],
)
def test_an_address_that_is_not_public_is_refused(url: str, server: WebServer) -> None:
    server.files["/x"] = b"secret"
    with pytest.raises((NotAllowed, MediaError), match=r"not public|no host"):
        fetched(url.format(port=server.server_port), Reach(("*",)))
    assert not server.asked


def test_a_redirect_to_a_private_address_is_refused(server: WebServer) -> None:
    server.redirects["/x"] = f"http://localhost:{server.server_port}/secret"
    server.files["/secret"] = b"secret"
    with pytest.raises(NotAllowed, match="localhost may not be fetched"):
        fetched(f"{server.url}/x")
    with pytest.raises(NotAllowed, match=r"localhost has the address .* not public"):
        fetched(f"{server.url}/x", Reach(("127.0.0.1", "localhost"), ("127.0.0.1",)))
    assert "/secret" not in server.asked
    server.redirects["/x"] = "file:///etc/passwd"
    with pytest.raises(MediaError):
        fetched(f"{server.url}/x", Reach(("*",), ("*",)))


def test_only_hosts_that_are_listed_are_asked() -> None:
    reach = Reach(("example.com", "*.example.org"))
    for url in ("https://example.com/x", "http://EXAMPLE.com.:8080/x", "http://a.example.org"):
        reach.check(url)
    for url in ("http://example.org", "http://example.com.evil.net", "http://me@example.com/",
                "http:///x", "http://[x", "http://a.example.org@evil.net/", "x"):  # fmt: skip
        with pytest.raises(NotAllowed):
            reach.check(url)


def test_urls_of_a_manifest_wait_for_leave(
    server: WebServer, tmp_path: Path, collection: LocalCollection
) -> None:
    server.files["/1.jpg"] = jpeg(1)
    (tmp_path / "m.csv").write_text(f"url\n{server.url}/1.jpg\n{server.url}/2.jpg\n")
    name = str(tmp_path / "m.csv")
    report, rows = ingested(open_source(name, SourceOptions()), collection)
    assert (report.done, report.failed) == (0, 2)
    assert not server.asked
    report, rows = ingested(open_source(name, SourceOptions(reach=HERE)), collection)
    assert (report.done, report.failed) == (1, 1)
    assert rows[f"{server.url}/1.jpg"].size == len(jpeg(1))
    assert rows[f"{server.url}/2.jpg"].reason == "the server answered 404"
    assert payloads(collection)[f"{server.url}/1.jpg", "image"]["name"] == "1.jpg"
    report, _ = ingested(open_source(name, SourceOptions(reach=HERE)), collection)
    assert (report.unchanged, server.asked["/1.jpg"]) == (2, 1)


def test_sources_on_a_web_server(server: WebServer, collection: LocalCollection) -> None:
    server.files["/a/1.jpg"], server.files["/a/b/2.jpg"] = jpeg(1), jpeg(2)
    server.files["/a/m.csv"] = b"path,by\nb/2.jpg,Ann\nfile:///etc/hosts,Bob\n/etc/hosts,Cy\n"
    report, _ = ingested(open_source(f"{server.url}/a/1.jpg", SourceOptions()), collection)
    assert report.done == 1
    source = open_source(f"{server.url}/a/m.csv", SourceOptions(reach=HERE))
    report, rows = ingested(source, collection)
    assert (report.done, report.failed) == (1, 2)
    assert payloads(collection)[f"{server.url}/a/b/2.jpg", "image"]["by"] == "Ann"
    assert not any("file:///etc" in asset for asset in rows)
    with pytest.raises(BadManifest, match=r"/a/none\.csv: the server answered 404"):
        open_source(f"{server.url}/a/none.csv", SourceOptions())


def test_a_shard_on_a_web_server_is_read_in_ranges(
    server: WebServer, tmp_path: Path, collection: LocalCollection
) -> None:
    video = make.save_video(tmp_path / "v.mp4", make.frames(["red"]))
    members = [("1.jpg", jpeg(1)), ("1.txt", b"red"), ("2.mp4", video.read_bytes())]
    path = save_tar(tmp_path / "s.tar", [*members, ("3.bin", bytes(3 << 20)), ("4.jpg", jpeg(4))])
    server.files["/s.tar"] = path.read_bytes()
    report, rows = ingested(open_source(f"{server.url}/s.tar", SourceOptions()), collection)
    assert (report.done, report.skipped, report.failed) == (3, 1, 0)
    assert f"tar:{server.url}/s.tar!/4.jpg" in rows
    server.ranges = False
    report, rows = ingested(open_source(f"{server.url}/s.tar?x", SourceOptions()), collection)
    assert report.failed == 1


def test_an_odd_store_is_told() -> None:
    for name in ("nope://x/y", "simplecache::s3://x/y.jpg", "zip://a.jpg::http://x/y.zip"):
        with pytest.raises(IngestError):
            open_source(name, SourceOptions())
