"""An encoder shared by many threads that batches their small calls."""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.batcher import Batcher, BatchOptions, Timed
from api.offload import aside
from api.patience import PATIENCE
from api.turns import Turns
from encoders import Encoder, EncoderInfo, InvalidInput, Pixels, Preprocess, RGBImage, Vectors
from encoders.base import Ability
from encoders.remote.encoder import RemoteEncoder
from encoders.turns import EncoderInTurns
from encoders.workers import WorkerEncoder

Rows = dict[str, NDArray[np.float32]]
"""Vector name -> `[dim]`, of one text or image."""

REMEMBERED = 4096
"""Texts whose vectors are kept: 12 MB at 768 dimensions."""


class BatchingEncoder:
    """Queries of several threads share a forward pass; bulk calls go to the device as they are.

    One thread at a time is on the device, as encoders ask, unless these are processes, or
    a server, with a queue of their own; preprocessing stays parallel. Texts that were encoded
    recently are remembered.
    """

    def __init__(
        self,
        encoder: Encoder,
        options: BatchOptions | None = None,
        timed: Timed = lambda _stage, _seconds: None,
    ) -> None:
        self._encoder = encoder
        self._options = options or BatchOptions()
        self._timed = timed
        own = isinstance(encoder, WorkerEncoder | RemoteEncoder)
        self._device: AbstractContextManager[Any] = nullcontext() if own else Turns()
        self._texts = Batcher(self._run_texts, self._options, len, timed)
        self._pixels = Batcher(self._run_pixels, self._options, timed=timed)
        self._known = _Recent(REMEMBERED)

    @property
    def info(self) -> EncoderInfo:
        return self._encoder.info

    @property
    def bulk(self) -> "EncoderInTurns":
        """The same encoder for work in bulk, beside queries."""
        return EncoderInTurns(self._encoder, self._device)

    @property
    def waiting(self) -> int:
        """Texts and images in the queue."""
        return self._texts.waiting + self._pixels.waiting

    @property
    def deaths(self) -> int:
        """How often a worker had to be replaced."""
        processes = self._encoder.deaths if isinstance(self._encoder, WorkerEncoder) else 0
        return self._texts.deaths + self._pixels.deaths + processes

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        if len(texts) >= self._options.max_batch:
            PATIENCE.get().check()  # one of many calls, perhaps, as for the prompts of many classes
            with self._device:
                return self._encoder.encode_texts(texts)
        known = {text: rows for text in texts if (rows := self._known.get(text)) is not None}
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        if fresh:
            with aside():
                found = dict(zip(fresh, self._texts(fresh), strict=True))
            self._known.put(found)
            known |= found
        return self._stacked([known[text] for text in texts])

    @property
    def preprocess(self) -> Preprocess:
        return self._encoder.preprocess

    def encode_pixels(self, pixels: Sequence[Pixels], *, normalize: bool = True) -> Vectors:
        if not normalize or len(pixels) >= self.info.batch_size:
            with self._device:
                return self._encoder.encode_pixels(pixels, normalize=normalize)
        return self._stacked(self._pixels(pixels))

    def encode_images(self, images: Sequence[RGBImage], *, normalize: bool = True) -> Vectors:
        begun = time.monotonic()
        pixels = [self.preprocess(image) for image in images]
        self._timed("preprocess", time.monotonic() - begun)
        return self.encode_pixels(pixels, normalize=normalize)

    def match(self, images: Sequence[RGBImage], texts: Sequence[str]) -> NDArray[np.float32]:
        """See `InternVLEncoder.match`; raises `InvalidInput` where the encoder cannot."""
        scores: NDArray[np.float32] = self._call("match", images, texts)
        return scores

    def caption(self, images: Sequence[RGBImage]) -> list[str]:
        """See `InternVLEncoder.caption`; raises `InvalidInput` where the encoder cannot."""
        captions: list[str] = self._call("caption", images)
        return captions

    def _call(self, ability: Ability, *arguments: object) -> Any:  # noqa: ANN401 - each its own
        if ability not in self.info.abilities:
            raise InvalidInput(f"{self.info.name} cannot {ability} images, as it was loaded")
        with self._device:
            return getattr(self._encoder, ability)(*arguments)

    def _run_texts(self, texts: Sequence[str]) -> list[Rows]:
        with self._device:
            return _split(self._encoder.encode_texts(texts), len(texts))

    def _run_pixels(self, pixels: Sequence[Pixels]) -> list[Rows]:
        with self._device:
            return _split(self._encoder.encode_pixels(pixels), len(pixels))

    def _stacked(self, rows: Sequence[Rows]) -> Vectors:
        names = self.info.vectors
        if not rows:
            return {name: np.empty((0, dim), np.float32) for name, dim in names.items()}
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


class _Recent:
    """The least recently used go first; thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: OrderedDict[str, Rows] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> Rows | None:
        with self._lock:
            if text in self._rows:
                self._rows.move_to_end(text)
            return self._rows.get(text)

    def put(self, rows: dict[str, Rows]) -> None:
        with self._lock:
            self._rows.update(rows)
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)


def _split(vectors: Vectors, count: int) -> list[Rows]:
    return [{name: rows[number] for name, rows in vectors.items()} for number in range(count)]
