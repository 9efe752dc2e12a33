"""Errors a collection raises; the edges (HTTP, command line) translate them once.

IndexerError
├── UnknownCollection      no collection of that name
├── CollectionExists       the name is taken
├── InvalidName            a collection name that could not be a folder everywhere
├── InvalidPoint           a vector, id or payload that cannot be stored; nothing of its batch was
├── InvalidFilter          an unknown operator or a value of the wrong type
├── InvalidQuery           a query vector, limit or cursor that cannot be answered
├── InvalidArchive         a snapshot or an export that is not ours, incomplete, or was changed
├── SchemaMismatch         vectors of another encoder, name or dimension than a collection's
├── CopyDiffers            a copy does not hold what its source does
├── Unsupported            what this engine, or this machine without an optional part, cannot do
├── CollectionBusy         another writer held the lock too long (the message names it); try again
├── StorageError           the disk failed, is full, or is of a kind we cannot trust
│   └── BackendUnavailable the server that holds the collections does not answer; try again later
├── CollectionDamaged      committed data is missing or does not match its checksum
└── NewerFormat            a collection that a newer version of polylens wrote
"""


class IndexerError(Exception):
    """Base of every error raised in `indexer`; its text is written for people."""


class UnknownCollection(IndexerError):
    """No collection of that name exists."""


class UnknownAlias(UnknownCollection):
    """No alias of that name exists."""


class CollectionExists(IndexerError):
    """A collection of that name exists already."""


class InvalidName(IndexerError):
    """A collection name that could not be a folder on every system."""


class InvalidPoint(IndexerError):
    """A point that cannot be stored; no point of its batch was."""


class InvalidFilter(IndexerError):
    """A filter with an unknown operator or a value of the wrong type."""


class InvalidQuery(IndexerError):
    """A query vector, limit or cursor that cannot be answered."""


class InvalidArchive(IndexerError):
    """A snapshot or an export that is not ours, incomplete, or was changed; nothing came of it."""


class SchemaMismatch(IndexerError):
    """Vectors of another encoder, name or dimension than those of a collection."""


class CopyDiffers(IndexerError):
    """A copy does not hold what its source does: one of them was written to meanwhile."""


class Unsupported(IndexerError):
    """What this engine, or this machine without an optional part, cannot do."""


class CollectionBusy(IndexerError):
    """Another writer held the commit lock for too long."""


class StorageError(IndexerError):
    """The disk failed, is full, or is of a kind that cannot be trusted with a database."""


class BackendUnavailable(StorageError):
    """The server that holds the collections does not answer, or refuses us."""


class CollectionDamaged(IndexerError):
    """Committed data is missing or does not match its checksum."""


class NewerFormat(IndexerError):
    """A collection that a newer version of polylens wrote."""
