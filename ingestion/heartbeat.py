"""A limit on time without progress, enforced by the system, so it holds even if native code hangs.

Only for decoding processes: a process that misses a beat is killed (SIGALRM), not interrupted.
"""

import signal

_limit = 0.0


def start(seconds: float) -> None:
    """From now on, this many seconds without a beat kill the process; 0 means no limit."""
    global _limit
    _limit = seconds
    signal.setitimer(signal.ITIMER_REAL, seconds)


def beat() -> None:
    """Report progress. Does nothing without a limit."""
    if _limit:
        signal.setitimer(signal.ITIMER_REAL, _limit)
