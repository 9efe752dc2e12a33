"""Work that is killed: a forked child goes on from where the test stands, until `kill -9`."""

import os
import signal
import time
import traceback
from collections.abc import Callable

Acknowledge = Callable[[int], object]


def run_and_kill(work: Callable[[Acknowledge], None], delay: float) -> int:
    """Let a child work, then kill it; the last number it acknowledged.

    `work` is given what acknowledges a number; it acknowledges one when it is ready, has `delay`
    seconds from then on, and must not end by itself.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # One write to a pipe: it is there whole or not at all, whenever we are killed.
            work(lambda number: os.write(writing, f"{number}\n".encode()))
        except BaseException:  # noqa: BLE001 - told, and found by the exit code
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        first = pipe.readline()
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        acknowledged = [first, *pipe.read().split()]
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child failed by itself"
    return int(acknowledged[-1])
