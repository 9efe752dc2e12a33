"""Generate a bounded load and measure calls per second and latencies."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

Call = Callable[[int], int]
"""Makes the call of that number, which no other load has; returns a status as of HTTP."""
Connect = Callable[[], AbstractContextManager[Call]]
"""Opens what one client calls through."""
TIMEOUT = 120.0
_NUMBERS = itertools.count(time.time_ns() // 1_000_000 % 1_000_000)
"""Of calls. Each process begins elsewhere, for a service remembers what it was asked before."""


@dataclass
class Load:
    """What came of it: seconds of each call that was answered with 200, and how many were not."""

    clients: int
    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    failed: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.took) / self.seconds

    def milliseconds(self, percent: float) -> float:
        """So many percent of the good answers came within this time; NaN where there were none."""
        return 1000 * float(np.percentile(self.took, percent)) if self.took else float("nan")


def press(connect: Connect, clients: int, seconds: float) -> Load:
    """Have `clients` call one after the other for `seconds`, each through a connection of its own.

    The first call of each is not counted. A call that raises `OSError` counts as status 0.
    """
    load, lock = Load(clients), threading.Lock()
    begin = threading.Barrier(clients + 1)

    def client() -> None:
        with connect() as call:
            _status(call, next(_NUMBERS))
            begin.wait()
            until = time.perf_counter() + seconds
            while (begun := time.perf_counter()) < until:
                status = _status(call, next(_NUMBERS))
                with lock:
                    if status == 200:
                        load.took.append(time.perf_counter() - begun)
                    else:
                        load.failed[status] += 1

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - begun
    return load


def posting(url: str, path: str, body: Callable[[int], Any], key: str | None = None) -> Connect:
    """For `press`: POST a JSON body to a service, over one kept connection for each client."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"

    @contextmanager
    def connect() -> Iterator[Call]:
        with closing(kind(address.hostname or "", address.port, timeout=TIMEOUT)) as connection:

            def once(content: str) -> int:
                connection.request("POST", path, content, headers)
                response = connection.getresponse()
                response.read()
                return response.status

            def call(number: int) -> int:
                content = json.dumps(body(number))
                try:
                    return once(content)
                except (OSError, http.client.HTTPException):
                    connection.close()  # it was idle for too long, perhaps: once more, anew
                    return once(content)

            yield call

    return connect


def _status(call: Call, number: int) -> int:
    try:
        return call(number)
    except (OSError, http.client.HTTPException):
        return 0
