"""Folders of images and videos into a collection. Imports `encoders` and `indexer`."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingestion.dryrun import Plan as Plan
    from ingestion.dryrun import plan as plan
    from ingestion.duplicates import Copy as Copy
    from ingestion.duplicates import Group as Group
    from ingestion.duplicates import find_duplicates as find_duplicates
    from ingestion.duplicates import record_duplicates as record_duplicates
    from ingestion.errors import BadManifest as BadManifest
    from ingestion.errors import Cancelled as Cancelled
    from ingestion.errors import DecoderLost as DecoderLost
    from ingestion.errors import DecoderUnfit as DecoderUnfit
    from ingestion.errors import EncodingStopped as EncodingStopped
    from ingestion.errors import IngestError as IngestError
    from ingestion.errors import MediaError as MediaError
    from ingestion.errors import NothingFound as NothingFound
    from ingestion.errors import NotMedia as NotMedia
    from ingestion.errors import PathNotFound as PathNotFound
    from ingestion.errors import QueueFull as QueueFull
    from ingestion.errors import TowerMissing as TowerMissing
    from ingestion.filling import backfill as backfill
    from ingestion.folder import walk as walk
    from ingestion.gone import forget as forget
    from ingestion.gone import vanished as vanished
    from ingestion.images import load_image as load_image
    from ingestion.items import Item as Item
    from ingestion.journal import JobRecord as JobRecord
    from ingestion.journal import Journal as Journal
    from ingestion.journal import Running as Running
    from ingestion.options import IngestOptions as IngestOptions
    from ingestion.options import Limits as Limits
    from ingestion.options import VideoOptions as VideoOptions
    from ingestion.pipeline import ingest as ingest
    from ingestion.progress import FileEvent as FileEvent
    from ingestion.progress import Progress as Progress
    from ingestion.progress import Rates as Rates
    from ingestion.progress import Report as Report
    from ingestion.reach import Reach as Reach
    from ingestion.seen import Seen as Seen
    from ingestion.seen import distinct as distinct
    from ingestion.sources import Source as Source
    from ingestion.sources import SourceOptions as SourceOptions
    from ingestion.sources import belongs as belongs
    from ingestion.sources import open_source as open_source
    from ingestion.video import read_frame as read_frame
    from ingestion.views import load_views as load_views

_HOMES = {
    "dryrun": "Plan plan",
    "duplicates": "Copy Group find_duplicates record_duplicates",
    "errors": "BadManifest Cancelled DecoderLost DecoderUnfit EncodingStopped IngestError "
    "MediaError NothingFound NotMedia PathNotFound QueueFull TowerMissing",
    "filling": "backfill",
    "folder": "walk",
    "gone": "forget vanished",
    "images": "load_image",
    "items": "Item",
    "journal": "JobRecord Journal Running",
    "options": "IngestOptions Limits VideoOptions",
    "pipeline": "ingest",
    "progress": "FileEvent Progress Rates Report",
    "reach": "Reach",
    "seen": "Seen distinct",
    "sources": "Source SourceOptions belongs open_source",
    "video": "read_frame",
    "views": "load_views",
}
"""Module -> what it offers here. Imported when first used: a process that decodes starts sooner."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
