"""Cached vectors of a data set, so an interrupted run continues where it stopped."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoders import Encoder, InvalidInput, Pixels, Use, Vectors, unit
from encoders.fingerprint import digest, file_identity
from retrieval.errors import InvalidDataset
from retrieval.evaluate.dataset import Gaps
from retrieval.evaluate.kept import Kept

CHUNK = 256  # items whose vectors are kept together
READERS = 4

ReadFrames = Callable[[Path, int], Iterable[NDArray[np.uint8]]]
"""A video and a number -> at most that many uniform frames, RGB `[height, width, 3]`.

Raises `OSError` or `ValueError` where there are none.
"""
Item = TypeVar("Item")
Identity = tuple[str, int, int]
"""Path, bytes, and time of change in nanoseconds."""
Follow = Callable[[str, int, int], None]
"""Called with what is worked on, how many are done, and of how many."""


def unfollowed(_what: str, _done: int, _total: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Embeddings:
    """Encodes lists of things, keeping each chunk of vectors in `folder` (None: nowhere).

    Chunks are found again by the encoder's fingerprint and what was encoded: texts by content,
    files by path, size and time of change. The rows of a file that cannot be read are NaN.
    """

    encoder: Encoder
    folder: Path | None = None
    follow: Follow = unfollowed

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Unit rows `[len(texts), dim]` per vector name."""
        return self._rows("texts", texts, self.encoder.encode_texts, ("text", "vectors"))

    def images(self, paths: Sequence[Path], use: Use) -> Vectors:
        """Unit rows `[len(paths), dim]`, images preprocessed for `use`.

        They are opened as the public protocols open them: converted to RGB and nothing else.
        """
        return self._files("images", paths, lambda path: [self._view(path, use)], use)

    def videos(self, paths: Sequence[Path], count: int, read_frames: ReadFrames) -> Vectors:
        """The unit means of the un-normalised vectors of at most `count` frames each."""
        prepare = self.encoder.preprocess

        def views(path: Path) -> list[Pixels]:
            return [prepare(frame, "frame") for frame in read_frames(path, count)]

        return self._files("videos", paths, views, count)

    def _view(self, path: Path, use: Use) -> Pixels:
        with Image.open(path) as image:
            return self.encoder.preprocess(image.convert("RGB"), use)

    def _files(
        self, what: str, paths: Sequence[Path], views: Callable[[Path], list[Pixels]], how: object
    ) -> Vectors:
        def encode(known: Sequence[Identity]) -> Vectors:
            some = [Path(name) for name, _, _ in known]
            with ThreadPoolExecutor(READERS, thread_name_prefix="eval") as pool:
                return self._means([*pool.map(lambda path: _seen(path, views), some)])

        return self._rows(what, [*map(file_identity, paths)], encode, ("image", "vectors"), how)

    def _means(self, seen: Sequence[Sequence[Pixels]]) -> Vectors:
        """Unit mean rows of each thing's views; NaN without any."""
        flat = [view for views in seen for view in views]
        rows = self._encode_pixels(flat)
        ends = np.cumsum([0, *map(len, seen)])
        spans = list(pairwise(ends.tolist()))
        return {
            name: np.stack([_mean(part[start:end]) for start, end in spans])
            for name, part in rows.items()
        }

    def _encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        size = self.encoder.info.batch_size
        parts = [
            self.encoder.encode_pixels(pixels[start : start + size], normalize=False)
            for start in range(0, max(1, len(pixels)), size)
        ]
        return _joined(parts)

    def _rows(
        self,
        what: str,
        items: Sequence[Item],
        encode: Callable[[Sequence[Item]], Vectors],
        parts: Sequence[str],
        *how: object,
    ) -> Vectors:
        fingerprint = {part: self.encoder.info.fingerprint.get(part) for part in parts}
        chunks, kept = [], Kept(self.folder)
        for start in range(0, len(items), CHUNK):
            some = items[start : start + CHUNK]
            key = digest(what, fingerprint, list(self.encoder.info.vectors), *how, list(some))
            chunks.append(kept.get(key, partial(encode, some)))
            self.follow(what, start + len(some), len(items))
        return _joined(chunks)


def readable(vectors: Vectors, paths: Sequence[Path], gaps: Gaps) -> NDArray[np.bool_]:
    """Which rows `[n]` are of files that could be read; the others become gaps.

    Raises `InvalidDataset` if there is none.
    """
    first = next(iter(vectors.values()))
    bad = np.asarray(np.isnan(first).any(axis=1))
    for at in np.flatnonzero(bad).tolist():
        gaps.add("files unreadable", paths[at].name)
    if bad.all():
        raise InvalidDataset(f"no file can be read: {'; '.join(gaps.sentences())}")
    return ~bad


def _seen(path: Path, views: Callable[[Path], list[Pixels]]) -> list[Pixels]:
    try:
        return views(path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, InvalidInput):
        return []


def _mean(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(rows) == 0:
        return np.full(rows.shape[1:], np.nan, dtype=np.float32)
    return unit(np.mean(rows, axis=0, dtype=np.float32))


def _joined(parts: Sequence[Vectors]) -> Vectors:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
