"""Embed media files outside any collection, to classify them or to train on them."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder, InvalidInput, Pixels, Use
from ingestion import Limits, MediaError, NotMedia, load_views

THREADS = min(8, os.cpu_count() or 1)
SKIPPED = "skipped"  # begins the reason of a file that is no media


@dataclass(frozen=True)
class Feature:
    """A file's un-normalised vector `[dim]`, or the reason why it has none."""

    path: Path
    row: NDArray[np.float32] | None
    reason: str = ""


@dataclass(frozen=True)
class Features:
    """Looks at files with one vector of an encoder, images preprocessed for `use`."""

    encoder: Encoder
    vector: str
    use: Use
    limits: Limits

    def of(self, paths: Iterable[Path]) -> Iterator[Feature]:
        """Each file's, in order; files are read side by side, a batch at a time."""
        paths = iter(paths)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="features") as pool:
            while some := list(islice(paths, self.encoder.info.batch_size)):
                yield from self._encoded(some, list(pool.map(self._look, some)))

    def _look(self, path: Path) -> list[Pixels] | str:
        try:
            views = load_views(path, self.encoder.preprocess, self.use, self.limits)
        except NotMedia as error:
            return f"{SKIPPED}: {error}"
        except (MediaError, InvalidInput) as error:
            return str(error)
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        return views or "no frame of it can be read"

    def _encoded(self, paths: list[Path], seen: list[list[Pixels] | str]) -> Iterator[Feature]:
        pixels = [view for views in seen if not isinstance(views, str) for view in views]
        rows = iter(self.encoder.encode_pixels(pixels, normalize=False)[self.vector])
        for path, views in zip(paths, seen, strict=True):
            if isinstance(views, str):
                yield Feature(path, None, views)
            else:
                yield Feature(path, np.mean([next(rows) for _ in views], axis=0))
