"""Estimate how long an ingestion will take, by ingesting a few of its files elsewhere."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from encoders import Encoder
from indexer import LocalStore, Schema
from ingestion.dryrun import Plan
from ingestion.formats import HEAD_BYTES, sniff
from ingestion.items import Item
from ingestion.options import IngestOptions
from ingestion.pipeline import ingest

LARGEST = 256 << 20  # bytes of a video that is still worth trying
FEW = 2  # videos


def estimated_seconds(plan: Plan, encoder: Encoder, options: IngestOptions) -> float | None:
    """Seconds for the images and videos of a plan; None if none of them can be tried.

    Images are extrapolated by number, videos by size. Files to be fetched are not counted.
    """
    images = [item for item in plan.sample if _kind(item) == "image"]
    videos = sorted((item for item in plan.sample if _kind(item) == "video"), key=_size)
    videos = [item for item in videos if _size(item) <= LARGEST][:FEW]
    if not images and not videos:
        return None
    seconds = _measured(images, encoder, options) / max(len(images), 1) * plan.images
    if videos:
        share = plan.video_bytes / max(sum(map(_size, videos)), 1)
        seconds += _measured(videos, encoder, options) * share
    return seconds


def _measured(items: Sequence[Item], encoder: Encoder, options: IngestOptions) -> float:
    """Seconds to ingest these, the encoder and the decoders being warm."""
    if not items:
        return 0.0
    options = replace(options, retry_failed=True)
    with tempfile.TemporaryDirectory(prefix="polylens-") as folder:
        info = encoder.info
        store = LocalStore(Path(folder))
        made = store.create("sample", Schema(info.vectors, info.name, info.fingerprint))
        for _ in ingest(items[:1], encoder, made, options):
            pass
        start = time.perf_counter()
        for _ in ingest(items, encoder, made, replace(options, force=True)):
            pass
        seconds = time.perf_counter() - start
        store.close()
    return seconds


def _kind(item: Item) -> str:
    try:
        with item.path.open("rb") as file:
            found = sniff(file.read(HEAD_BYTES))
    except OSError:
        return ""
    return found.kind if found else ""


def _size(item: Item) -> int:
    try:
        return item.path.stat().st_size
    except OSError:
        return 0
