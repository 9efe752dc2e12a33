"""Rate limits: a token bucket for each caller."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

CALLERS = 10_000
"""Most callers remembered; the one quiet for longest is forgotten first."""


class RateLimit:
    """`rate` calls a second on average, `burst` at once; thread-safe."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Take a call for `caller`: 0, or the seconds until there is one to take."""
        with self._lock:
            now = self._clock()
            left, seen = self._buckets.pop(caller, (self._burst, now))
            left = min(self._burst, left + (now - seen) * self._rate)
            taken = left >= 1
            self._buckets[caller] = (left - taken, now)
            if len(self._buckets) > CALLERS:
                self._buckets.popitem(last=False)
            return 0.0 if taken else (1 - left) / self._rate
