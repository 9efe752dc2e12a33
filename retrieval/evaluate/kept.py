"""A file cache of expensive results, so an interrupted run continues where it stopped."""

import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """Named arrays by key, in `folder` (None: nowhere). A file that is damaged is made anew."""

    folder: Path | None = None

    def get(self, key: str, make: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
        """What is kept under a key of hex digits, or else `make()`, kept from now on."""
        if self.folder is None:
            return dict(make())
        from safetensors import SafetensorError
        from safetensors.numpy import load_file, save

        path = self.folder / key[:2] / f"{key}.safetensors"
        with contextlib.suppress(OSError, SafetensorError):
            known: Arrays = load_file(path)
            return known
        made = {name: np.ascontiguousarray(array) for name, array in make().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{uuid.uuid4().hex}")
        draft.write_bytes(save(made))
        draft.replace(path)
        return made
