"""Wait out temporary conditions: other writers and unavailable servers."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from encoders.errors import EncoderUnavailable
from indexer.errors import BackendUnavailable, CollectionBusy
from ingestion.pipes import Stopped

T = TypeVar("T")
log = logging.getLogger(__name__)
BUSY_TRIES = 5
LONGEST_PAUSE = 30.0  # seconds


class Patience:
    """Repeats calls that may be repeated; safe to use from many threads.

    `pause` is the first wait for a server that is away, in seconds; each is twice the one before,
    up to `LONGEST_PAUSE`.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self._pause = pause
        self._stopped = threading.Event()
        self.waiting = ""
        """What is being waited for, in words; empty while all goes well."""

    def __call__(self, call: Callable[[], T]) -> T:
        """The call's result, however long its server stays away.

        Raises `CollectionBusy` where another writer holds the collection too often, and `Stopped`.
        """
        pause = self._pause
        while True:
            try:
                result = _unless_busy(call)
            except (BackendUnavailable, EncoderUnavailable) as error:
                self._wait(pause, error)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if self.waiting:
                    self.waiting = ""
                    log.warning("the server answers again: going on")
                return result

    def stop(self) -> None:
        """Make every caller that waits, or would wait, raise `Stopped`."""
        self._stopped.set()

    def _wait(self, seconds: float, error: Exception) -> None:
        if not self.waiting:
            log.warning("waiting, nothing is lost: %s", error)
        self.waiting = str(error)
        if self._stopped.wait(seconds):
            raise Stopped


def _unless_busy(call: Callable[[], T]) -> T:
    for _ in range(BUSY_TRIES - 1):
        try:
            return call()
        except CollectionBusy:
            continue
    return call()
