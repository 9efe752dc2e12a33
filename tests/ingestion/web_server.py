"""A web server on this machine, with what makes fetching hard."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WebServer(ThreadingHTTPServer):
    """Serves `files` by path, in ranges if asked; `redirects` lead on, `troubles` come first.

    What is in `held` waits for its event.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.troubles: dict[str, list[int]] = {}
        self.asked: Counter[str] = Counter()
        self.held: dict[str, threading.Event] = {}
        self.ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        path = self.path
        self.server.asked[path] += 1
        if path in self.server.held:
            self.server.held[path].wait(60)
        if self.server.troubles.get(path):
            self._answer(self.server.troubles[path].pop(0), b"", {"Retry-After": "0"})
        elif path in self.server.redirects:
            self._answer(302, b"", {"Location": self.server.redirects[path]})
        elif path not in self.server.files:
            self._answer(404, b"")
        else:
            self._serve(self.server.files[path])

    def _serve(self, data: bytes) -> None:
        asked = self.headers.get("Range")
        if asked is None or not self.server.ranges:
            self._answer(200, data)
            return
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        if first >= len(data):
            self._answer(416, b"")
        else:
            self._answer(206, data[first : last + 1])

    def _answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def web_server() -> Iterator[WebServer]:
    """One that answers until the block ends."""
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
