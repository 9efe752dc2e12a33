"""Request deadlines: work only until the deadline and while the client is connected."""

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field


class TooLate(Exception):
    """The request's time was over before its turn came."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Patience:
    """Of one request: ends at `deadline`, a `time.monotonic` time, or when the client is `gone`."""

    deadline: float = float("inf")
    gone: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, seconds: float) -> "Patience":
        """From now on."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float | None:
        """Seconds until the deadline, None without one."""
        return None if self.deadline == float("inf") else max(0.0, self.deadline - time.monotonic())

    def check(self) -> None:
        """Raises `ClientGone` or `TooLate` where the work is not worth doing any more."""
        if self.gone.is_set():
            raise ClientGone("the client has gone")
        if time.monotonic() > self.deadline:
            raise TooLate("the service was too busy to answer in time: try again later")


ENDLESS = Patience()
PATIENCE: ContextVar[Patience] = ContextVar("patience", default=ENDLESS)
"""That of the request being worked for; threads that the service starts inherit it."""
