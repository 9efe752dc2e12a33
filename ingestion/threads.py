"""Run functions concurrently, each in a thread; if one fails, all stop."""

import threading
from collections.abc import Callable, Iterable

from ingestion.pipes import Stopped


class Threads:
    """The threads of `stages`; `stop` makes every one of them return or raise `Stopped`."""

    def __init__(self, stages: Iterable[Callable[[], None]], stop: Callable[[], None]) -> None:
        self._stop = stop
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._guard, args=(stage,), daemon=True) for stage in stages
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop them all, and wait until they have."""
        self._stop()
        for thread in self._threads:
            thread.join()

    def check(self) -> None:
        """Raise what the first of them broke with, if one did."""
        if self._errors:
            raise self._errors[0]

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._errors.append(error)
            self._stop()
