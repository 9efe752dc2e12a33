"""The second stage: batches of frames through the encoder, pooled into points."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from encoders import Encoder, EncoderError, InvalidInput, TowerNotLoaded, Vectors, unit
from indexer.base import Payload, Point, point_id
from ingestion.errors import EncodingStopped
from ingestion.jobs import Frame, Job, Outcome, Partial
from ingestion.messages import PoolKey
from ingestion.patience import Patience
from ingestion.pipes import Finished, Pipe, Stopped, Window
from ingestion.progress import Meter

log = logging.getLogger(__name__)
Message = Frame | Partial | Outcome
LINGER = 0.05  # seconds without news after which a batch goes as it is
HOPELESS = 16  # single images in a row that the encoder failed on: more than bad luck


@dataclass(frozen=True)
class Encoded:
    """An outcome and the points it has, their vectors of unit norm."""

    outcome: Outcome
    points: list[Point]


@dataclass(frozen=True)
class Staged:
    """Points of a file that has more to come."""

    job: Job
    points: list[Point]


@dataclass
class EncodeStage:
    """Takes frames and outcomes, gives outcomes with their points, in the same order.

    `names` are the vector names the collection keeps.
    """

    encoder: Encoder
    names: Sequence[str]
    batch_size: int
    window: Window
    source: Pipe[Message]
    target: Pipe[Encoded | Staged]
    meter: Meter
    patience: Patience = field(default_factory=Patience)
    _pools: dict[Job, "_Pools"] = field(default_factory=dict)
    _failures: int = 0

    def run(self) -> None:
        """Until the source is finished."""
        for batch in self._batches():
            frames = [message for message in batch if isinstance(message, Frame)]
            rows = self._rows(frames)
            self.window.give_back(sum(frame.cost for frame in frames))
            for message in batch:
                match message:
                    case Frame():
                        self._pool(message, next(rows))
                    case Partial():
                        self.target.put(self._stage(message))
                    case Outcome():
                        self.target.put(self._finish(message))
        self.target.finish()

    def _batches(self) -> Iterator[list[Message]]:
        """Messages in order, with up to `batch_size` frames; fewer when none come for a while.

        Outcomes wait only for frames before them, and never in great number.
        """
        batch: list[Message] = []
        frames = 0
        while True:
            try:
                message = self.source.poll(LINGER) if batch else self.source.get()
            except Finished:
                if batch:
                    yield batch
                return
            if message is not None:
                batch.append(message)
                frames += isinstance(message, Frame)
            full = frames == self.batch_size or len(batch) >= 4 * self.batch_size
            if message is None or full or not frames:
                yield batch
                batch, frames = [], 0

    def _rows(self, frames: Sequence[Frame]) -> Iterator["Vectors | str"]:
        """As `_encode`, of images and texts mixed."""
        shown = iter(self._encode([one for one in frames if not isinstance(one.content, str)]))
        words = iter(self._encode([one for one in frames if isinstance(one.content, str)]))
        return (next(words if isinstance(one.content, str) else shown) for one in frames)

    def _vectors(self, frames: Sequence[Frame]) -> Vectors:
        """Of frames of one kind."""
        texts = [one.content for one in frames if isinstance(one.content, str)]
        if texts:
            return self.encoder.encode_texts(texts)
        pixels = [one.content for one in frames if not isinstance(one.content, str)]
        return self.encoder.encode_pixels(pixels, normalize=False)

    def _encode(self, frames: Sequence[Frame]) -> list["Vectors | str"]:
        """The row `[dim]` of each frame per vector name, or the reason there is none.

        A batch that fails is halved, down to the image that is to blame.
        """
        if not frames:
            return []
        start = time.perf_counter()
        try:
            vectors = self.patience(lambda: self._vectors(frames))
        except Stopped:
            raise
        except Exception as error:
            if _is_final(error):
                raise EncodingStopped(str(error)) from error
            if len(frames) == 1:
                return [self._give_up(frames[0], error)]
            middle = len(frames) // 2
            return [*self._encode(frames[:middle]), *self._encode(frames[middle:])]
        self._failures = 0
        self.meter.add(len(frames), time.perf_counter() - start)
        return [{name: vectors[name][at] for name in self.names} for at in range(len(frames))]

    def _give_up(self, frame: Frame, error: Exception) -> str:
        reason = f"the encoder failed on it: {error or type(error).__name__}"
        if isinstance(error, EncoderError):
            return reason
        trace = None if self._failures else error  # once is enough: the next are alike
        log.warning("encoding %s failed: %s", frame.job.item.asset, error, exc_info=trace)
        self._failures += 1
        if self._failures >= HOPELESS:
            raise EncodingStopped(
                f"the encoder fails on everything it is given: {error}"
            ) from error
        return reason

    def _pool(self, frame: Frame, row: "Vectors | str") -> None:
        pools = self._pools.setdefault(frame.job, _Pools())
        if isinstance(row, str):
            pools.reason = row
            return
        for key in frame.pools:
            pools.add(key, row)

    def _stage(self, partial: Partial) -> Staged:
        pools = self._pools.setdefault(partial.job, _Pools())
        if pools.reason:
            return Staged(partial.job, [])
        vectors = {key: pools.pop(key) for key in partial.points}
        return Staged(partial.job, _points(partial.job, partial.points, vectors))

    def _finish(self, outcome: Outcome) -> Encoded:
        pools = self._pools.pop(outcome.job, _Pools())
        if outcome.status != "done" or outcome.touched:
            return Encoded(outcome, [])
        if pools.reason:
            return Encoded(replace(outcome, status="failed", reason=pools.reason), [])
        missing = outcome.points.keys() - outcome.vectors.keys() - outcome.staged
        vectors = {**outcome.vectors} | {key: pools.pop(key) for key in missing}
        return Encoded(outcome, _points(outcome.job, outcome.points, vectors))


def _points(
    job: Job, payloads: Mapping[PoolKey, Payload], vectors: Mapping[PoolKey, Vectors]
) -> list[Point]:
    """Those without vectors have them in the collection already."""
    asset = job.item.asset
    return [
        Point(point_id(asset, *key), asset, vectors.get(key, {}), payload)
        for key, payload in payloads.items()
    ]


def _is_final(error: Exception) -> bool:
    """Whether the fault is in the encoder, and not in what it was given."""
    if isinstance(error, InvalidInput):
        return isinstance(error, TowerNotLoaded)
    return isinstance(error, EncoderError)


@dataclass
class _Pools:
    """The vectors of one file, while its frames come in."""

    reason: str = ""
    _sums: dict[PoolKey, dict[str, NDArray[np.float32]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def add(self, key: PoolKey, row: Vectors) -> None:
        sums = self._sums[key]
        for name, values in row.items():
            sums[name] = sums[name] + values if name in sums else values

    def pop(self, key: PoolKey) -> Vectors:
        """The unit vector of the mean, which is that of the sum; it is needed no more."""
        return {name: unit(values) for name, values in self._sums.pop(key).items()}
