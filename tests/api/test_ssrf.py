"""URLs that would have the service ask its own machine, in every place that takes a URL."""

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import MediaError, Reach
from ingestion.reach import NotAllowed
from tests.api.chat.upstream import upstream
from tests.api.routes.test_jobs import ended, submit
from tests.api.server import Served, serving
from tests.ingestion.web_server import WebServer
from tests.media import encoded, plain

JOBS = "/v1/collections/default/jobs"

HOSTS = [
    *("127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "2130706433", "017700000001", "0x7f000001"),
    *("0x7f.0.0.1", "0177.0.0.1", "0", "0.0.0.0", "0x0", "127.0.0.1.", "127.000.000.001"),
    *("localhost", "LocalHost", "localhost.", "ip6-localhost", socket.gethostname()),
    *("[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1%25lo]"),
    *("[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]"),
    *("[2002:7f00:1::]", "[::ffff:0.0.0.0]", "[fe80::1%25lo]", "[127.0.0.1]", "%31%32%37.0.0.1"),
    *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "127.0.0.1%00.example.invalid"),
    *("user@127.0.0.1", "example.invalid@127.0.0.1", "example.invalid:80@127.0.0.1"),
    *("example.invalid%23@127.0.0.1", "example.invalid#@127.0.0.1", "127.0.0.1 .example.invalid"),
]
"""How this machine can be spelled; all but a few are taken for an address of it by something."""

WHOLE = [
    *("http://127.0.0.1:{port}\\@example.invalid/x", "http://example.invalid\\@127.0.0.1:{port}/x"),
    *("http:127.0.0.1:{port}/x", "http:/127.0.0.1:{port}/x", "http:///127.0.0.1:{port}/x"),
    *("HTTP://127.0.0.1:{port}/x", "https://127.0.0.1:{port}/x", "http://[::1]:{port}/x#@x/"),
    *("file:///etc/passwd", "file://127.0.0.1/etc/passwd", "local://127.0.0.1/etc/passwd"),
    *("ftp://127.0.0.1:{port}/x", "sftp://127.0.0.1:{port}/x", "webhdfs://127.0.0.1:{port}/x"),
    *("gopher://127.0.0.1:{port}/x", "dict://127.0.0.1:{port}/x", "smb://127.0.0.1:{port}/x"),
    *("jupyter://127.0.0.1:{port}/x", "git://127.0.0.1:{port}/x", "memory://127.0.0.1/x"),
    *("simplecache::http://127.0.0.1:{port}/x", "zip://x::http://127.0.0.1:{port}/x"),
    *("reference://127.0.0.1:{port}/x", "dask://127.0.0.1:{port}/x", "hdfs://127.0.0.1:{port}/x"),
    *("jar:http://127.0.0.1:{port}!/x", "data:image/png;base64,AAAA", "//127.0.0.1:{port}/x"),
]


class Trap:
    """A port of this machine, at all of its addresses, that nobody may connect to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(
            ("", 0), family=socket.AF_INET6, backlog=512, dualstack_ipv6=True
        )
        self.port = self._socket.getsockname()[1]

    @property
    def was_reached(self) -> bool:
        return bool(select.select([self._socket], [], [], 0)[0])

    @property
    def urls(self) -> list[str]:
        hosts = [f"http://{host}:{self.port}/x" for host in HOSTS]
        return [*hosts, *(url.replace("{port}", str(self.port)) for url in WHOLE)]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    assert not trap.was_reached
    trap.close()


def test_the_trap_works(trap: Trap) -> None:
    for host in ("127.0.0.1", "::1"):
        other = Trap()
        with socket.create_connection((host, other.port), timeout=5):
            assert other.was_reached
        other.close()
    assert not trap.was_reached


@pytest.mark.parametrize("hosts", [[], ["example.invalid"], ["*"]], ids=str)
def test_sources_of_jobs(tmp_path: Path, trap: Trap, hosts: list[str]) -> None:
    data, taken = tmp_path / "data", []
    with serving(data, max_jobs=0, fetch_hosts=hosts) as served:
        served.installation.create("default")
        for url in trap.urls:
            answer = served.client.post(JOBS, json={"sources": [url]})
            assert answer.status_code in (202, 403, 422), (url, answer.text)
            if answer.status_code == 202:
                taken.append((url, answer.json()["id"]))
    assert bool(taken) == bool(hosts)
    with serving(data, max_jobs=4, fetch_hosts=hosts) as served:
        for url, job in taken:
            assert ended(served.client, job)["counts"]["done"] == 0, url
        assert not trap.was_reached


@pytest.mark.parametrize("hosts", [[], ["*"]], ids=str)
def test_manifests(tmp_path: Path, trap: Trap, hosts: list[str]) -> None:
    with serving(tmp_path / "data", roots=[tmp_path], fetch_hosts=hosts) as served:
        served.installation.create("default")
        rows = [json.dumps({"url": url}) for url in trap.urls]
        (tmp_path / "list.jsonl").write_text("\n".join(rows))
        counts = ended(served.client, submit(served.client, tmp_path / "list.jsonl")["id"])[
            "counts"
        ]
        assert (counts["failed"], counts["done"]) == (len(rows), 0)


def test_redirects(tmp_path: Path, trap: Trap, web: WebServer) -> None:
    settings = {"fetch_hosts": ["*"], "fetch_private_hosts": ["127.0.0.1"]}
    with serving(tmp_path / "data", **settings) as served:
        served.installation.create("default")
        web.files["/red.jpg"] = encoded(plain("red"))
        urls = [url for url in trap.urls if "//127.0.0.1:" not in url and url.isascii()]
        for number, url in enumerate(urls):
            web.redirects[f"/{number}"] = url
        sources = [f"{web.url}/red.jpg", *(f"{web.url}/{number}" for number in range(len(urls)))]
        counts = ended(served.client, submit(served.client, *sources)["id"])["counts"]
        assert (counts["failed"], counts["done"]) == (len(urls), 1)


def test_pictures_of_requests(tmp_path: Path, trap: Trap) -> None:
    with upstream() as chat, serving(tmp_path / "data", chat=chat.url, fetch_hosts=["*"]) as served:
        served.installation.create("default")
        for url in trap.urls:
            _refused(served, url)
        assert chat.asked == []


def _refused(served: Served, url: str) -> None:
    """In every field for a picture; where texts are taken, too, a URL is a text."""
    for kind in ("image_url", "video_url"):
        content = [{"type": "text", "text": "?"}, {"type": kind, kind: {"url": url}}]
        body: dict[str, object] = {"messages": [{"role": "user", "content": content}]}
        answer = served.client.post("/v1/chat/completions", json=body)
        assert answer.status_code in (400, 422), (url, answer.text)
    for path, field in (
        ("/v1/embeddings", {"input": [{"image": url}]}),
        ("/v1/rerank", {"query": "red", "documents": [{"image": url}]}),
        ("/v2/rerank", {"query": "red", "documents": [{"image": url}]}),
        ("/v1/classify", {"image": url, "labels": ["red"]}),
        ("/v1/collections/default/search", {"parts": [{"image": url}]}),
    ):
        answer = served.client.post(path, json=field)
        assert 400 <= answer.status_code < 500, (path, url, answer.text)


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1"),
        *("198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "0.1.2.3"),
        *("fc00::1", "fd12::1", "fe80::1", "ff02::1", "2001:db8::1", "2001::1", "100::1"),
        *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::", "::ffff:10.0.0.1", "::a00:1"),
        *("::ffff:0:a00:1", "5f00::1", "fec0::1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    with pytest.raises((NotAllowed, MediaError), match=r"not public|no host"):
        Reach(("*",)).addresses(address, 80)


def test_public_addresses() -> None:
    for address in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert Reach(("*",)).addresses(address, 80)
