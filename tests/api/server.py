"""A real server on a free loopback port, for tests that speak HTTP."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.installation import Installation
from api.server import Server
from api.settings import Settings


@dataclass(frozen=True)
class Served:
    """A running service; `client` has its base URL."""

    installation: Installation
    url: str
    client: httpx.Client


@contextmanager
def serving(data: Path, **settings: Any) -> Iterator[Served]:  # noqa: ANN401
    """Serve an installation with the `fake` encoder until the context ends."""
    installation = Installation(Settings(data=data, **{"encoder": "fake", **settings}))
    app = create_app(installation)
    server = Server(app, host="127.0.0.1", port=0, log_level="critical")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=30) as client:
        yield Served(installation, url, client)
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive(), "the server did not stop"
    installation.store.close()
