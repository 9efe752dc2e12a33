"""A lock that goes to whoever has waited longest."""

import threading


class Turns:
    """Python's own locks may go back to the thread that just let go: whoever does batch after batch
    would hold up everybody else for as long as it has work.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next = 0
        self._turn = 0

    def __enter__(self) -> None:
        with self._changed:
            mine, self._next = self._next, self._next + 1
            self._changed.wait_for(lambda: self._turn == mine)

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._turn += 1
            self._changed.notify_all()
