"""A limit on the time without progress, kept by the system: it holds even where native code hangs.

Only in processes made for decoding: whoever misses a beat is killed (SIGALRM), not interrupted.
"""

import signal

_limit = 0.0


def start(seconds: float) -> None:
    """From now on, so many seconds without a beat end the process; 0 is no limit."""
    global _limit
    _limit = seconds
    signal.setitimer(signal.ITIMER_REAL, seconds)


def beat() -> None:
    """Something was achieved. Does nothing where there is no limit."""
    if _limit:
        signal.setitimer(signal.ITIMER_REAL, _limit)
