"""Recently encoded texts, so that a repeated query costs no forward pass."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]


class TextCache:
    """The least recently used go first; safe to share between threads. 4096 rows are 12 MB."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, texts: Sequence[str]) -> dict[str, Row]:
        """The rows of those texts that are known."""
        with self._lock:
            known = {text: self._rows[text] for text in texts if text in self._rows}
            for text in known:
                self._rows.move_to_end(text)
        return known

    def put(self, rows: Mapping[str, Row]) -> None:
        """Remember rows, forgetting the oldest beyond the limit."""
        with self._lock:
            self._rows.update(rows)
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)
