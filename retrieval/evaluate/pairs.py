"""Image-text and video-text retrieval by the public protocols."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders import Vectors
from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.embeddings import Embeddings, ReadFrames, readable
from retrieval.evaluate.published import NOTHING, Reference
from retrieval.evaluate.ranks import first_ranks, recall_at
from retrieval.evaluate.result import Result, Score

DEPTHS = (1, 5, 10)
IMAGES = (
    "cosine of unit vectors, both directions; R@k is the share of queries with a right answer "
    "among the first k"
)
VIDEOS = "the unit mean of the un-normalised vectors of {} uniform frames; {} dual softmax"


def evaluate_images(pairs: Pairs, embeddings: Embeddings) -> Iterator[Result]:
    """A result for each of its vectors; raises `InvalidDataset` if no file can be read."""
    rows = embeddings.images(pairs.media, "search")
    pairs, rows = _readable(pairs, rows)
    texts = embeddings.texts(pairs.texts)
    ways = ("image to text", "text to image")
    for vector, images in rows.items():
        sides = Sides(images, texts[vector], pairs.owner)
        ranks = dict(zip(ways, (sides.media_to_text(), sides.text_to_media()), strict=True))
        yield _result(pairs, embeddings, vector, ranks, IMAGES)


def evaluate_videos(
    pairs: Pairs, embeddings: Embeddings, frames: int, read_frames: ReadFrames
) -> Iterator[Result]:
    """Two results for each of the encoder's vectors: with and without dual softmax.

    Published numbers are with it. Raises `InvalidDataset` if no video is readable.
    """
    rows = embeddings.videos(pairs.media, frames, read_frames)
    pairs, rows = _readable(pairs, rows)
    texts = embeddings.texts(pairs.texts)
    ways = ("text to video", "video to text")
    for vector, videos in rows.items():
        sides = Sides(videos, texts[vector], pairs.owner)
        for dual in (True, False):
            found = (sides.text_to_media(dual_softmax=dual), sides.media_to_text(dual_softmax=dual))
            protocol = VIDEOS.format(frames, "with" if dual else "without")
            ranks = dict(zip(ways, found, strict=True))
            yield _result(pairs, embeddings, vector, ranks, protocol, compared=dual)


@dataclass(frozen=True)
class Sides:
    """Unit rows of media and of texts; `owner[i]` is the medium that text i describes."""

    media: NDArray[np.float32]
    texts: NDArray[np.float32]
    owner: NDArray[np.int64]

    def media_to_text(self, *, dual_softmax: bool = False) -> NDArray[np.int64]:
        """The rank of the first right text for each medium."""
        order = np.argsort(self.owner, kind="stable")
        bounds = np.searchsorted(self.owner[order], np.arange(1, len(self.media)))
        right = np.split(order, bounds)
        return first_ranks(self.media, self.texts, right, dual_softmax=dual_softmax)

    def text_to_media(self, *, dual_softmax: bool = False) -> NDArray[np.int64]:
        """The rank of the right medium for each text."""
        right = list(self.owner[:, None])
        return first_ranks(self.texts, self.media, right, dual_softmax=dual_softmax)


def _readable(pairs: Pairs, rows: Vectors) -> tuple[Pairs, Vectors]:
    kept = readable(rows, pairs.media, pairs.gaps)
    return pairs.only(kept), {name: row[kept] for name, row in rows.items()}


def _result(
    pairs: Pairs,
    embeddings: Embeddings,
    vector: str,
    ranks: Mapping[str, NDArray[np.int64]],
    protocol: str,
    *,
    compared: bool = True,
) -> Result:
    info = embeddings.encoder.info
    theirs = NOTHING
    if compared:
        theirs = Reference.of(info.name, vector, pairs.name, pairs.language)
    return Result(
        dataset=pairs.name,
        language=pairs.language,
        encoder=info.name,
        vector=vector,
        protocol=protocol,
        counts={"media": len(pairs.media), "captions": len(pairs.texts)},
        scores=_scores(ranks, theirs.numbers),
        gaps=[*pairs.gaps.sentences(), *theirs.doubts(pairs.listed)],
        reference=theirs.model,
        fingerprint=dict(info.fingerprint),
    )


def _scores(ranks: Mapping[str, NDArray[np.int64]], theirs: Mapping[str, float]) -> Sequence[Score]:
    return [
        Score(name := f"{way} R@{k}", 100 * recall_at(rank, k), theirs.get(name))
        for way, rank in ranks.items()
        for k in DEPTHS
    ]
