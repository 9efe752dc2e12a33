"""Files on web servers."""

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpcore

from ingestion.errors import MediaError
from ingestion.items import Stamp
from ingestion.reach import Reach

TIMEOUTS = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 600.0}  # seconds
REDIRECTS = 5
TRIES = 3
PASSING = frozenset((429, 500, 502, 503, 504))  # answers worth another try
LONGEST_PAUSE = 30.0  # seconds
GRACE = 60.0  # seconds, after which an answer must have come faster than SLOWEST
SLOWEST = 1000.0  # bytes a second
BLOCK = 1 << 20  # bytes asked for at once, of a file that is read in parts


class Web:
    """Fetches what `reach` allows, from many threads at once."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._pool = httpcore.ConnectionPool(
            max_connections=64, max_keepalive_connections=16, network_backend=_Guarded(reach)
        )

    def __reduce__(self) -> tuple[type["Web"], tuple[Reach]]:
        """In another process it has connections of its own."""
        return type(self), (self._reach,)

    def copy(self, url: str, target: IO[bytes], max_bytes: int) -> None:
        """Write what is there; raises `MediaError`, `NotAllowed` where it may not be asked."""
        with self._answer(url) as answer:
            _check_status(answer, 200)
            _copy(answer, target, max_bytes)

    def part(self, url: str, start: int, size: int) -> bytes:
        """`size` bytes from `start` on, fewer at the end; raises as `copy` does."""
        buffer = io.BytesIO()
        headers = [(b"Range", b"bytes=%d-%d" % (start, start + size - 1))]
        with self._answer(url, headers) as answer:
            if answer.status == 416:
                return b""
            if answer.status == 200:
                raise MediaError("the server sends whole files only: fetch it first")
            _check_status(answer, 206)
            _copy(answer, buffer, size)
        return buffer.getvalue()

    @contextmanager
    def _answer(
        self, url: str, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> Iterator[httpcore.Response]:
        """The first answer that is neither a redirect nor a passing failure."""
        for attempt in range(TRIES):
            with _reasons(), self._redirected(url, [*headers, *_HEADERS]) as answer:
                if answer.status not in PASSING or attempt + 1 == TRIES:
                    yield answer
                    return
                pause = _pause(answer, attempt)
            time.sleep(pause)

    @contextmanager
    def _redirected(
        self, url: str, headers: list[tuple[bytes, bytes]]
    ) -> Iterator[httpcore.Response]:
        for _ in range(REDIRECTS + 1):
            parts = self._reach.check(url)
            if parts.scheme not in ("http", "https"):
                raise MediaError(f"redirected to {parts.scheme}, which is not allowed")
            extensions = {"timeout": TIMEOUTS}
            with self._pool.stream("GET", url, headers=headers, extensions=extensions) as answer:
                target = _header(answer, b"location")
                if not (300 <= answer.status < 400 and target):
                    yield answer
                    return
            url = encoded(urljoin(url, target))
        raise MediaError(f"redirected more than {REDIRECTS} times")


@dataclass(frozen=True)
class WebFile:
    """A file on a web server; satisfies `Blob`. What was ingested once is not asked for again."""

    web: Web
    url: str
    stamp: Stamp | None = None

    @property
    def name(self) -> str:
        return unquote(PurePosixPath(urlsplit(self.url).path).name)

    @property
    def folder(self) -> str:
        return self.url.rpartition("/")[0]

    def copy_to(self, target: IO[bytes], max_bytes: int) -> None:
        self.web.copy(self.url, target, max_bytes)


class WebReader(io.RawIOBase):
    """A file on a web server, read in blocks wherever it is looked at; wrap it in a buffer."""

    def __init__(self, web: Web, url: str) -> None:
        self._web, self._url, self._at = web, url, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("its length is unknown")
        self._at = offset + (self._at if whence == io.SEEK_CUR else 0)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._web.part(self._url, self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def encoded(url: str) -> str:
    """A URL as it is sent: percent-encoded, without a fragment."""
    return quote(url.partition("#")[0], safe="%/:?&=+$,;@!~*'()[]")


class _Guarded(httpcore.NetworkBackend):
    """Connects to addresses that were looked at, and to no others."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._reach.addresses(host, port)
        for address in others:
            try:
                return self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._backend.connect_tcp(last, port, timeout, local_address, socket_options)


_HEADERS = [(b"User-Agent", b"polylens"), (b"Accept-Encoding", b"identity")]


def _copy(answer: httpcore.Response, target: IO[bytes], max_bytes: int) -> None:
    start, size = time.monotonic(), 0
    for chunk in answer.iter_stream():
        size += len(chunk)
        if size > max_bytes:
            raise MediaError(f"larger than the limit of {max_bytes / 1e6:,.0f} MB")
        seconds = time.monotonic() - start
        if seconds > GRACE and size < SLOWEST * seconds:
            raise MediaError(f"the server sends less than {SLOWEST:.0f} bytes a second")
        target.write(chunk)
    promised = _header(answer, b"content-length")
    if promised.isdigit() and int(promised) != size:
        raise MediaError(f"cut short: {size} of {promised} bytes arrived")


def _check_status(answer: httpcore.Response, expected: int) -> None:
    if answer.status != expected:
        raise MediaError(f"the server answered {answer.status}")


def _header(answer: httpcore.Response, name: bytes) -> str:
    found = [value for key, value in answer.headers if key.lower() == name]
    return found[0].decode("latin-1") if found else ""


def _pause(answer: httpcore.Response, attempt: int) -> float:
    asked = _header(answer, b"retry-after")
    return min(float(asked) if asked.isdigit() else 2.0**attempt, LONGEST_PAUSE)


@contextmanager
def _reasons() -> Iterator[None]:
    """The library's errors as `MediaError`."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise MediaError("the server does not answer") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise MediaError(f"cannot be fetched: {error or type(error).__name__}") from error
