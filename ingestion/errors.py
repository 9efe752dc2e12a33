"""Errors ingestion raises; the edges (HTTP, command line) translate them once.

IngestError
├── PathNotFound           the file or folder to ingest does not exist
├── NothingFound           it holds no file, or the globs leave none
├── BadManifest            a manifest that cannot be read as a whole
├── TowerMissing           the encoder is loaded without a tower that the items take
├── EncodingStopped        the encoder is gone, or fails on everything it is given
├── DecoderUnfit           no process can be had that decodes
├── QueueFull              too many jobs wait already
├── Cancelled              somebody cancelled the job
└── MediaError             one file cannot be used; the ledger records it as failed
    ├── DecoderLost        the process that decoded it died of it
    └── NotMedia           it is no image and no video; the ledger records it as skipped
"""


class IngestError(Exception):
    """Base of every error raised in `ingestion`; its text is written for people."""


class PathNotFound(IngestError):
    """The file or folder to ingest does not exist."""


class NothingFound(IngestError):
    """There is no file to ingest."""


class BadManifest(IngestError):
    """A manifest that cannot be fetched or read; a bad row fails alone."""


class TowerMissing(IngestError):
    """The encoder is loaded without its image or text tower; the text says how to load it."""


class EncodingStopped(IngestError):
    """The encoder fails on everything: the fault is not in the files."""


class DecoderUnfit(IngestError):
    """No process can be started that decodes for this encoder."""


class QueueFull(IngestError):
    """No more jobs are queued for now."""


class Cancelled(IngestError):
    """Somebody else cancelled the job; finished work is kept."""


class MediaError(IngestError):
    """A file that cannot be decoded, or may not be; the text is the reason."""


class DecoderLost(MediaError):
    """The process that decoded a file died, or made no progress."""


class NotMedia(MediaError):
    """A file that is not an image or a video."""
