"""Calibrate relevance on a collection, by the scores of texts that nothing in it answers."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from encoders import Encoder, EncoderInfo, require_same
from indexer import Collection
from retrieval.background import TEXTS, script
from retrieval.errors import InvalidQuery
from retrieval.relevance import Relevance

CENTRE, SLOPE = 3.06, 0.73
"""Where relevance is one half, and how fast it rises, in spreads above the median background.

Fitted by logistic regression with the offline encoder: `python -m benchmarks.relevance --stamps`.
"""

LEAST_SPREAD = 1e-3


class Background(BaseModel):
    """The best scores of background texts for one vector name.

    `median` by script, "" for all; `spread` is the way from the median of all to their 90 %.
    """

    model_config = ConfigDict(frozen=True)
    median: Mapping[str, float]
    spread: float

    def relevance(self, text: str) -> Relevance:
        """Of hits of a text."""
        return Relevance(self.median_of(text) + CENTRE * self.spread, self.spread / SLOPE)

    def median_of(self, text: str) -> float:
        """In the text's script, where background is measured in it."""
        return self.median.get(script(text), self.median[""])


class Calibration(BaseModel):
    """How it was fitted: over so many `points`, with so many `texts`, at a time in UTC."""

    model_config = ConfigDict(frozen=True)
    collection: str
    encoder: str
    fingerprint: Mapping[str, str]
    points: int
    texts: int
    fitted: datetime
    vectors: Mapping[str, Background]

    def fits(self, info: EncoderInfo) -> bool:
        """Whether the encoder has the text tower that it was fitted with."""
        return self.fingerprint.get("text") == info.fingerprint.get("text")


def calibrate(collection: Collection, encoder: Encoder) -> Calibration:
    """Search for every background text with each vector.

    Raises `InvalidQuery` without points, `EncoderMismatch` where another encoder made them.
    """
    info, schema = encoder.info, collection.schema
    require_same(schema.fingerprint, info.fingerprint, f"collection {collection.name!r}")
    rows = encoder.encode_texts(TEXTS)
    vectors = {}
    for name in (name for name in schema.vectors if name in info.vectors):
        found = [collection.search(row, vector=name, limit=1).hits for row in rows[name]]
        scores = np.array([hits[0].score for hits in found if hits])
        if len(scores) < len(TEXTS):
            raise InvalidQuery(f"collection {collection.name!r} has no point with vector {name!r}")
        vectors[name] = _background(scores)
    return Calibration(
        collection=collection.name,
        encoder=info.name,
        fingerprint=dict(info.fingerprint),
        points=collection.count(),
        texts=len(TEXTS),
        fitted=datetime.now(UTC),
        vectors=vectors,
    )


@dataclass(frozen=True)
class Calibrations:
    """A folder with a file for each collection that was calibrated, by its uid."""

    folder: Path

    def get(self, collection: Collection) -> Calibration | None:
        """None where it was never calibrated, or the file cannot be read."""
        with suppress(OSError, ValueError):
            return Calibration.model_validate_json(self._path(collection).read_bytes())
        return None

    def put(self, collection: Collection, calibration: Calibration) -> None:
        """Keep it, instead of an older one; raises `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(collection)
        draft = path.with_suffix(".new")
        draft.write_text(calibration.model_dump_json(indent=1), "utf-8")
        draft.replace(path)

    def forget(self, collection: Collection) -> None:
        """Remove what is kept of a collection."""
        self._path(collection).unlink(missing_ok=True)

    def _path(self, collection: Collection) -> Path:
        return self.folder / f"{collection.uid}.json"


def _background(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Background:
    scripts = np.array([script(text) for text in TEXTS])
    medians = {name: float(np.median(scores[scripts == name])) for name in sorted(set(scripts))}
    whole, high = np.quantile(scores, [0.5, 0.9])
    spread = max(float(high - whole), LEAST_SPREAD)
    return Background(median={"": float(whole), **medians}, spread=spread)
