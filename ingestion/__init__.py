"""Folders of images and videos into a collection. Imports `encoders` and `indexer`."""

from ingestion.dryrun import Plan, plan
from ingestion.errors import (
    EncodingStopped,
    IngestError,
    MediaError,
    NothingFound,
    NotMedia,
    PathNotFound,
)
from ingestion.folder import walk
from ingestion.images import load_image
from ingestion.items import Item
from ingestion.options import IngestOptions, Limits, VideoOptions
from ingestion.pipeline import ingest
from ingestion.progress import FileEvent, Progress, Rates, Report
from ingestion.vanished import below, forget, vanished
from ingestion.video import read_frame

__all__ = [
    "EncodingStopped",
    "FileEvent",
    "IngestError",
    "IngestOptions",
    "Item",
    "Limits",
    "MediaError",
    "NotMedia",
    "NothingFound",
    "PathNotFound",
    "Plan",
    "Progress",
    "Rates",
    "Report",
    "VideoOptions",
    "below",
    "forget",
    "ingest",
    "load_image",
    "plan",
    "read_frame",
    "vanished",
    "walk",
]
