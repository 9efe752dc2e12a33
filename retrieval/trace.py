"""What a search did, step by step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from retrieval.answer import Stage


@dataclass
class Step:
    """A stage under way: what is filled in here is what the explanation will say."""

    count: int = 0
    note: str = ""


class Trace:
    """Collects the stages of one search, in order."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str, using: str = "") -> Iterator[Step]:
        """Everything that is asked of the collection or the encoder happens inside one of these."""
        step, start = Step(), time.perf_counter()
        yield step
        took = round((time.perf_counter() - start) * 1000, 3)
        self.stages.append(Stage(name, using, step.count, took, step.note))

    @property
    def took_ms(self) -> dict[str, float]:
        """Stage -> milliseconds, those of the same name together."""
        took: dict[str, float] = {}
        for stage in self.stages:
            took[stage.name] = round(took.get(stage.name, 0) + stage.took_ms, 3)
        return took
