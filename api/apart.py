"""Exclude long-lived libraries and models from garbage collection."""

import gc
import sys
from typing import Literal


def set_apart() -> None:
    """Leave out of garbage collection what there is now, and what is imported from now on.

    A model comes with libraries, whenever it is first asked for. To look through them takes up to a
    third of a second, in which nobody is answered, and 64 clients had that happen about every
    second.
    """
    known = 0

    def after(phase: Literal["start", "stop"], found: dict[str, int]) -> None:
        nonlocal known
        if phase == "stop" and found["generation"] == 2 and len(sys.modules) > known:
            known = len(sys.modules)
            gc.freeze()

    gc.callbacks.append(after)
    gc.collect()


def collect() -> None:
    """Look through everything, what was set apart as well: something large was let go of."""
    is_apart = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if is_apart:
        gc.freeze()
