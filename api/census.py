"""Count the files of a job in parallel with its ingestion."""

import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Self

from ingestion import IngestError, Progress, Seen, Source, distinct


class Census:
    """Counts while the context lasts; `total` is None until it is through.

    So it stays where a source is not on this machine: listing that twice would cost too much.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.total: int | None = None
        self._sources = sources
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._count, name="census", daemon=True)

    def __enter__(self) -> Self:
        if all(source.root is not None for source in self._sources):
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def told(self, steps: Generator[Progress]) -> Generator[Progress]:
        """The snapshots, with the total once it is known."""
        try:
            for step in steps:
                yield step if step.total is not None else replace(step, total=self.total)
        finally:
            steps.close()

    def _count(self) -> None:
        seen, count = Seen(), 0
        with suppress(IngestError, OSError):  # told by the ingestion
            for _ in distinct(chain.from_iterable(self._sources), seen):
                if self._stopping.is_set():
                    return
                count += 1
            self.total = count
