"""`polylens serve` in a process of its own, to be killed."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

COMMAND = "from api.cli import main; main()"


@dataclass(frozen=True)
class Process:
    """A running server; `client` has its base URL."""

    child: subprocess.Popen[str]
    url: str
    client: httpx.Client

    def end(self, signal: int) -> int:
        """Send a signal and wait; the exit code, negative for a signal."""
        self.child.send_signal(signal)
        return self.child.wait(60)


@contextmanager
def process(data: Path, settings: Mapping[str, str], command: str = COMMAND) -> Iterator[Process]:
    """`polylens serve` with these settings, as environment variables have them, until the end.

    `command` is the Python that runs it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "POLYLENS_CONFIG"}
    environment |= {f"POLYLENS_{name.upper()}": value for name, value in settings.items()}
    child = subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--port", "0", "--data", str(data)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        found = re.search(r"http://[\d.]+:\d+", child.stdout.readline())
        assert found, "the server did not start"
        with httpx.Client(base_url=found[0], timeout=60) as client:
            yield Process(child, found[0], client)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
